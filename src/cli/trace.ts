/** `--trace` for a guest of the xv6 family: with its processes, its user programs and its page tables. */
import { Tracer } from '../debug/trace.js';
import { hex } from '../machine/hex.js';
import type { Machine } from '../machine/machine.js';
import { Guest } from '../xv6/guest.js';
import { Probes } from '../xv6/probes.js';
import { describeEntry } from '../xv6/table-rules.js';
import { type EntryChange, Tables } from '../xv6/tables.js';
import { programAt, programsBeside } from './user-programs.js';

export interface TraceOptions {
  trace: string;
  userSymbols?: string[];
}

/** Traces on standard error from now on. Throws BadInputError for a filter or a program that cannot be used. */
export function startTrace(
  machine: Machine,
  kernel: Uint8Array,
  kernelPath: string,
  { trace, userSymbols = [] }: TraceOptions,
): void {
  const guest = new Guest(machine, kernel);
  const tracer = new Tracer(machine, trace, (line) => process.stderr.write(line + '\n'), {
    kernel,
    programs: [...userSymbols.map(programAt), ...programsBeside(kernelPath)],
    processOn: (hart) => {
      const process = guest.processOn(hart);
      return process && { ...process, address: guest.processAddress(hart)! };
    },
  });
  if (tracer.shows('pagetable')) tracePageTables(guest, tracer);
}

/** Tables are known from the first call that names their root, and forgotten when their frames are freed. */
function tracePageTables(guest: Guest, tracer: Tracer): void {
  /** For what the last store changed. */
  let write: ((text: string) => void) | undefined;
  const tell = (change: EntryChange): void => {
    if (change.event) write?.(describeChange(change));
  };
  const tables = new Tables(guest, tell, (hart) => ({ ...NOWHERE, hart: hart.index }));
  tables.onClear = tell;
  tables.onStore = (hart) => {
    tables.update();
    write = hart && tracer.lineAt(hart);
    if (hart) tracer.afterInstruction(hart, () => tables.update());
  };
  const probes = new Probes(guest);
  for (const role of ['walk', 'mappages'] as const) {
    probes.on(role, { enter: (call) => tables.adopt(call.arguments[0]) });
  }
  probes.on('kfree', { enter: (call) => tables.drop(call.arguments[0]) });
  probes.attach();
}

/** Events are not told: a line has its store's place. */
const NOWHERE = { instruction: 0, cycle: 0, process: undefined, stack: [] } as const;

function describeChange({ page, at, address, before, after }: EntryChange): string {
  const where = `table ${hex(page.root)}, level ${page.level}, for ${hex(address)}`;
  return `pagetable: ${where}: ${describeEntry(before)} -> ${describeEntry(after)} at ${hex(at)}`;
}
