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

/** Where instructions lie. */
export interface CodePlaces {
  /** Physical addresses, in RAM. */
  readonly physical: readonly Range[];
  /** Virtual addresses, in whichever address space. */
  readonly virtual: readonly Range[];
}

export interface TraceFilter {
  readonly kinds: ReadonlySet<TraceKind>;
  readonly passes: Condition;
  /** Where the instructions that pass lie; undefined where they may lie anywhere. */
  readonly code?: CodePlaces;
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
  readonly code?: CodePlaces;
  readonly isUserOnly?: boolean;
}

/** More code than this is not watched instruction by instruction. */
const MOST_WATCHED_BYTES = 0x1_0000n;

/** Throws BadInputError for a filter it cannot read. */
export function parseFilter(text: string, context: TraceContext): TraceFilter {
  const words = text.split(',').map((term) => term.trim());
  const isKind = (term: string): term is TraceKind => (TRACE_KINDS as readonly string[]).includes(term);
  const kinds = words.filter(isKind);
  const terms = words.filter((term) => !isKind(term)).map((term) => parseTerm(term, context));
  return {
    kinds: new Set(kinds.length === 0 ? ['instructions'] : kinds),
    passes: (hart) => terms.every(({ passes }) => passes(hart)),
    code: terms.find(({ code }) => code)?.code,
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
    return { passes: (hart) => isIn(range, BigInt.asUintN(64, hart.pc)), code: watchable([], [range]) };
  }
  if (range && name === 'address') {
    return { passes: (hart) => isIn(range, accessOf(hart) ?? -1n) };
  }
  throw new BadInputError(
    `--trace has no term "${term}"; there are ${TRACE_KINDS.join(', ')}, hart=N, mode=user|supervisor|machine, ` +
      'process=NAME, function=NAME, pc=START-END and address=START-END',
  );
}

function inFunction(name: string, { machine, programs }: TraceContext): Term {
  const kernel = machine.symbols.rangesOf(name);
  const users = programs.rangesOf(name);
  if (kernel.length === 0 && users.size === 0)
    throw new BadInputError(
      `--trace function=${name}: neither the kernel nor a user program that is known has a symbol ${name}`,
    );
  const passes: Condition = (hart) => {
    const place = programs.kernelPlace(hart, hart.pc);
    if (place !== undefined) return kernel.some((range) => isIn(range, place));
    const program = programs.on(hart);
    return program !== undefined && (users.get(program)?.some((range) => isIn(range, hart.pc)) ?? false);
  };
  return { passes, code: watchable(kernel, [...users.values()].flat()), isUserOnly: kernel.length === 0 };
}

const isIn = ({ start, end }: Range, address: bigint): boolean => address >= start && address < end;

/** These places, unless there is more than can be watched. */
function watchable(physical: readonly Range[], virtual: readonly Range[]): CodePlaces | undefined {
  const bytes = [...physical, ...virtual].reduce((sum, { start, end }) => sum + end - start, 0n);
  return bytes <= MOST_WATCHED_BYTES ? { physical, virtual } : undefined;
}
