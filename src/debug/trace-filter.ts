/**
 * What a trace shows: a list of terms with commas between them. Some choose what is shown (instructions if none does):
 *
 *     instructions      each instruction, and the memory that it accesses
 *     traps             traps as they are taken
 *     syscalls          system calls as they return
 *     pagetable         entries of page tables as they change
 *     disk              disk requests as they are served
 *
 * Every other term restricts it:
 *
 *     hart=N            one hart
 *     mode=user         user, supervisor or machine
 *     process=NAME      while a process of this name runs
 *     function=NAME     while pc is in the function, of the kernel or of a user program
 *     pc=START-END      while START <= pc < END, in hexadecimal
 *     address=START-END instructions that access such a virtual address
 */
import { BadInputError } from '../machine/errors.js';
import type { Machine } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import { Mode, MODE_NAMES } from '../rv64/trap.js';
import { accessOf } from './memory-operand.js';
import type { Programs } from './programs.js';

export const TRACE_KINDS = ['instructions', 'traps', 'syscalls', 'pagetable', 'disk'] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];

type Condition = (hart: Hart) => boolean;

/** Addresses from `start` up to `end`. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

export interface TraceFilter {
  readonly kinds: ReadonlySet<TraceKind>;
  readonly passes: Condition;
  /** Where the instructions that pass lie, if that is in the kernel, which is mapped in place. */
  readonly kernelCode?: Range;
  /** Whether only instructions in user mode pass. */
  readonly isUserOnly: boolean;
}

/** What the filter asks about harts. */
export interface TraceContext {
  readonly machine: Machine;
  readonly programs: Programs;
  readonly nameOf: (hart: Hart) => string | undefined;
}

/** What a term that restricts asks of a hart. */
interface Term {
  readonly passes: Condition;
  readonly kernelCode?: Range;
  readonly isUserOnly?: boolean;
}

/** A function of the kernel that says it is longer is not watched instruction by instruction. */
const LONGEST_WATCHED_BYTES = 0x1_0000n;

/** Throws BadInputError for a filter it cannot read. */
export function parseFilter(text: string, context: TraceContext): TraceFilter {
  const words = text.split(',').map((term) => term.trim());
  const isKind = (term: string): term is TraceKind => (TRACE_KINDS as readonly string[]).includes(term);
  const kinds = words.filter(isKind);
  const terms = words.filter((term) => !isKind(term)).map((term) => parseTerm(term, context));
  return {
    kinds: new Set(kinds.length === 0 ? ['instructions'] : kinds),
    passes: (hart) => terms.every(({ passes }) => passes(hart)),
    kernelCode: terms.find(({ kernelCode }) => kernelCode)?.kernelCode,
    isUserOnly: terms.some(({ isUserOnly }) => isUserOnly),
  };
}

function parseTerm(term: string, context: TraceContext): Term {
  const [, name, value] = /^(\w+)=(.+)$/.exec(term) ?? [];
  if (name === 'hart' && /^[0-7]$/.test(value)) return { passes: (hart) => hart.index === Number(value) };
  if (name === 'process') return { passes: (hart) => context.nameOf(hart) === value };
  if (name === 'mode') {
    const mode = (MODE_NAMES as readonly string[]).indexOf(value);
    if (mode >= 0 && value !== 'reserved')
      return { passes: (hart) => hart.mode === mode, isUserOnly: mode === Mode.User };
  }
  if (name === 'function') return inFunction(value, context);
  const [, low, high] = /^(?:0x)?([0-9a-f]+)-(?:0x)?([0-9a-f]+)$/i.exec(value ?? '') ?? [];
  const range = low === undefined ? undefined : { start: BigInt(`0x${low}`), end: BigInt(`0x${high}`) };
  if (range && name === 'pc') {
    const kernelCode = isWatchable(range, context) ? range : undefined;
    return { passes: (hart) => isIn(range, BigInt.asUintN(64, hart.pc)), kernelCode };
  }
  if (range && name === 'address') {
    return { passes: (hart) => isIn(range, accessOf(hart) ?? -1n) };
  }
  throw new BadInputError(
    `--trace has no term "${term}"; there are ${TRACE_KINDS.join(', ')}, hart=N, mode=user|supervisor|machine, ` +
      'process=NAME, function=NAME, pc=START-END and address=START-END',
  );
}

function inFunction(name: string, context: TraceContext): Term {
  const { machine, programs } = context;
  const start = machine.symbols.address(name);
  const isUsers = programs.has(name);
  if (start === undefined && !isUsers)
    throw new BadInputError(
      `--trace function=${name}: neither the kernel nor a user program that is known has a symbol ${name}`,
    );
  const passes: Condition = (hart) => programs.functionAt(hart, hart.pc) === name;
  if (start === undefined) return { passes, isUserOnly: true };
  let end = start;
  const isInside = (address: bigint): boolean => machine.symbols.nameAt(address)?.name === name;
  while (isInside(end) && end - start <= LONGEST_WATCHED_BYTES) end += 2n;
  const kernelCode = !isUsers && isWatchable({ start, end }, context) ? { start, end } : undefined;
  return { passes, kernelCode };
}

const isIn = ({ start, end }: Range, address: bigint): boolean => address >= start && address < end;

const isWatchable = ({ start, end }: Range, { machine }: TraceContext): boolean =>
  end > start &&
  end - start <= LONGEST_WATCHED_BYTES &&
  machine.readMemory(start, Number(end - start)) !== undefined;
