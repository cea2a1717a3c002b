/**
 * Traces: a line for each instruction or trap that a filter lets through.
 *
 * A filter is a list of terms with commas between them. `instructions` and `traps` choose what is shown
 * (instructions if neither is named); every other term restricts it:
 *
 *     hart=N            one hart
 *     mode=user         user, supervisor or machine
 *     function=NAME     while pc is in the function
 *     pc=START-END      while START <= pc < END, in hexadecimal
 */
import type { Machine } from '../machine/machine.js';
import { describeTrap } from '../machine/explain.js';
import { BadInputError } from '../machine/errors.js';
import { disassemble } from '../rv64/disassemble.js';
import type { Hart } from '../rv64/hart.js';
import { MODE_NAMES } from '../rv64/trap.js';

type Condition = (hart: Hart) => boolean;

interface Filter {
  readonly instructions: boolean;
  readonly traps: boolean;
  readonly conditions: readonly Condition[];
}

/** Writes a line for all that passes the filter from now on. Throws BadInputError for a filter it cannot read. */
export function trace(machine: Machine, filter: string, write: (line: string) => void): void {
  const { instructions, traps, conditions } = parseFilter(filter, machine);
  const passes = (hart: Hart): boolean => conditions.every((condition) => condition(hart));
  const start = (hart: Hart): string => {
    const pc = BigInt.asUintN(64, hart.pc);
    const where = `${hart.cycles}`.padStart(12) + ` ${hart.index} ${MODE_NAMES[hart.mode][0]}`;
    return `${where} ${pc.toString(16).padStart(16, '0')} ${machine.symbols.describe(pc).padEnd(24)}`;
  };
  machine.observe({
    instruction: instructions
      ? (hart) => {
          if (passes(hart)) write(`${start(hart)} ${disassembleAt(hart)}`);
        }
      : undefined,
    trap: traps
      ? (hart, cause, value) => {
          if (passes(hart)) write(`${start(hart)} trap: ${describeTrap(cause, value)}`);
        }
      : undefined,
  });
}

function disassembleAt(hart: Hart): string {
  const word = hart.peekInstruction();
  return word === undefined ? '(not mapped)' : disassemble(word, hart.pc);
}

function parseFilter(text: string, machine: Machine): Filter {
  const terms = text.split(',').map((term) => term.trim());
  const isKind = (term: string): boolean => term === 'instructions' || term === 'traps';
  const kinds = terms.filter(isKind);
  const conditions = terms.filter((term) => !isKind(term)).map((term) => parseTerm(term, machine));
  return {
    instructions: kinds.length === 0 || kinds.includes('instructions'),
    traps: kinds.includes('traps'),
    conditions,
  };
}

function parseTerm(term: string, machine: Machine): Condition {
  const [, name, value] = /^(\w+)=(.+)$/.exec(term) ?? [];
  if (name === 'hart' && /^[0-7]$/.test(value)) return (hart) => hart.index === Number(value);
  if (name === 'mode') {
    const mode = (MODE_NAMES as readonly string[]).indexOf(value);
    if (mode >= 0 && value !== 'reserved') return (hart) => hart.mode === mode;
  }
  if (name === 'function') {
    if (machine.symbols.address(value) === undefined) {
      throw new BadInputError(`--trace ${term}: the kernel has no symbol ${value}`);
    }
    return (hart) => machine.symbols.nameAt(BigInt.asUintN(64, hart.pc))?.name === value;
  }
  const [, start, end] = /^pc=(?:0x)?([0-9a-f]+)-(?:0x)?([0-9a-f]+)$/i.exec(term) ?? [];
  if (start !== undefined) {
    const [low, high] = [BigInt(`0x${start}`), BigInt(`0x${end}`)];
    return (hart) => {
      const pc = BigInt.asUintN(64, hart.pc);
      return pc >= low && pc < high;
    };
  }
  throw new BadInputError(
    `--trace has no term "${term}"; there are instructions, traps, hart=N, mode=user|supervisor|machine, ` +
      'function=NAME and pc=START-END',
  );
}
