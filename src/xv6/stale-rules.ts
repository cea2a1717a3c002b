/** Missing fences: uses of translations and instructions that hardware may still have, though memory says otherwise. */
import type { Machine } from '../machine/machine.js';
import { PTE_BYTES } from '../sv39/pte.js';
import type { Event, Reporter } from './finding.js';
import type { Guest } from './guest.js';
import { hex } from './model/errors.js';

const ACCESSES = { read: 'a load from', write: 'a store to', execute: 'a fetch from' } as const;

/** fence.i, as assemblers encode it. */
const FENCE_I = 0x0000_100f;

/** Makes a machine strict (see rv64/strict-mode.ts), and reports what that shows. The machine has not run yet. */
export function checkFences(
  machine: Machine,
  guest: Guest,
  reporter: Reporter,
  notChecked: (what: string) => void,
): void {
  const watchesFetches = usesFenceI(guest);
  if (!watchesFetches)
    notChecked('old instructions: this kernel has no fence.i, which hardware needs after code was loaded');
  machine.beStrict<Event | undefined>({
    watchesFetches,
    describe: (hart) => hart && reporter.eventOf(hart, false),
    translation: (hart, { virtual, access, entry, kept, present }) => {
      const address = Number(BigInt.asUintN(64, virtual));
      const why =
        entry.changed === undefined
          ? `read from another table, before satp was changed to ${hex(guest.rootOf(hart) ?? 0)}`
          : 'that has been stored to since';
      const now = present.ok ? `go to ${hex(present.physical)}` : `be refused: ${present.reason}`;
      const then = kept.ok ? `goes to ${hex(kept.physical)}` : `is refused: ${kept.reason}`;
      const message =
        `${ACCESSES[access]} ${hex(address)} ${then}, by an entry ${why}; by the table it would ${now}. ` +
        `Hart ${hart.index} has executed no sfence.vma in between`;
      reporter.report('stale-translation', hart, false, message, {
        table: guest.rootOf(hart),
        virtualAddress: address,
        ...(kept.ok ? { physicalAddress: kept.physical } : {}),
        entryBefore: entry.pte,
        entryAfter: guest.read(entry.at, PTE_BYTES),
        history: entry.changed ? [{ what: 'entry changed', event: entry.changed }] : [],
      });
    },
    fetch: (hart, { virtual, physical, changed }) => {
      const address = Number(BigInt.asUintN(64, virtual));
      const message =
        `instructions at ${hex(address)} are executed, which were stored after hart ${hart.index} ` +
        'last fetched from this frame; it has executed no fence.i since';
      reporter.report('stale-instruction', hart, false, message, {
        virtualAddress: address,
        physicalAddress: physical,
        history: changed ? [{ what: 'stored', event: changed }] : [],
      });
    },
  });
}

function usesFenceI(guest: Guest): boolean {
  const end = guest.address('etext') ?? guest.ramEnd;
  for (let at = guest.ramStart; at + 4 <= end; at += 2) {
    if (guest.word32(at) === FENCE_I) return true;
  }
  return false;
}
