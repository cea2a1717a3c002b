/** `--trace`: a line on standard error for what the harts do, as far as the filter lets it through. */
import { BadInputError } from '../machine/errors.js';
import { describeTrap } from '../machine/explain.js';
import type { Machine } from '../machine/machine.js';
import type { Observer } from '../rv64/hart.js';

/**
 * Watches every hart. `filter` is a list of words between commas: `traps` for each trap that is taken,
 * `instructions` for each instruction, or the names of functions, for each instruction inside them.
 * Throws `BadInputError` for a name that the kernel does not have.
 */
export function trace(
  machine: Pick<Machine, 'symbols' | 'observe'>,
  filter: string,
  write: (line: string) => void,
): void {
  const { symbols } = machine;
  const words = new Set(filter.split(',').map((word) => word.trim()));
  const showsTraps = words.delete('traps');
  const showsAll = words.delete('instructions');
  for (const name of words) {
    if (symbols.address(name) === undefined) {
      throw new BadInputError(
        `--trace: the kernel has no function "${name}" (nor is it traps or instructions)`,
      );
    }
  }

  const place = (pc: bigint): string =>
    symbols.nameAt(pc) ? `${hexadecimal(pc)} ${symbols.describe(pc)}` : hexadecimal(pc);

  const observer: Observer = {};
  if (showsAll || words.size > 0) {
    observer.instruction = ({ index, pc, cycles }) => {
      if (!showsAll && !words.has(symbols.nameAt(pc)?.name ?? '')) return;
      write(`${cycles} hart ${index} ${place(pc)}`);
    };
  }
  if (showsTraps) {
    observer.trap = ({ index, pc, cycles }, cause, value) =>
      write(`${cycles} hart ${index} ${place(pc)}: ${describeTrap(cause, value)}`);
  }
  machine.observe(observer);
}

function hexadecimal(address: bigint): string {
  return BigInt.asUintN(64, address).toString(16).padStart(16, '0');
}
