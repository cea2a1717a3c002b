/** What the checker makes of stores that the test makes into the guest's page tables. */
import { describe, expect, it } from 'vitest';
import type { Hart } from '../../src/rv64/hart.js';
import { checkedImage, runCommands, type CheckedImage } from '../support/checked.js';

const LONG = { timeout: 120_000 };

const entryAt = ({ machine }: CheckedImage, at: number): bigint => {
  const bytes = machine.readMemory(BigInt(at), 8)!;
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
};

/** Calls `sabotage` once, in a system call of the shell's child, with the roots of the shell's table and of the child's. */
async function runWith(sabotage: (image: CheckedImage, other: number, own: number) => void) {
  const image = checkedImage(0);
  // First come the process that becomes the shell, and the shell.
  const callers: number[] = [];
  const copyin = image.machine.symbols.address('copyin')!;
  image.machine.setProbe(copyin, (hart: Hart) => {
    const root = Number(hart.x[10]);
    if (callers.at(-1) === root) return;
    callers.push(root);
    if (callers.length === 3) sabotage(image, callers[1], root);
  });
  await runCommands(image, ['echo'], () => image.checker.findings.length > 0, 1e8);
  return image.checker.findings[0];
}

function store({ machine }: CheckedImage, at: number, entry: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, entry, true);
  machine.writeMemory(BigInt(at), bytes);
}

describe('the checker finds', () => {
  it('a page of a table that two processes share', LONG, async () => {
    const finding = await runWith((image, other, own) => store(image, own, entryAt(image, other)));
    expect(finding).toMatchObject({ rule: 'table-shared', virtualAddress: 0 });
    expect(finding.message).toMatch(/also that for 0x0 in the table with root 0x8/);
  });
});

describe('the checker allows', () => {
  it(
    'a frame to be freed with an entry that is cleared at once, when that was stored to unseen before',
    LONG,
    async () => {
      const image = checkedImage(0);
      const { machine } = image;
      let root = 0;
      let at = 0;
      machine.setProbe(machine.symbols.address('copyin')!, (hart: Hart) => (root = Number(hart.x[10])));
      // kfree fills with 1: while it is under way, a table comes to map the frame, and no more by the next time.
      machine.setProbe(machine.symbols.address('memset')!, (hart: Hart) => {
        if (at !== 0) store(image, at, 0n);
        if (at !== 0 || root === 0 || hart.x[11] !== 1n) return;
        at = lastEntryFor(image, root);
        store(image, at, (hart.x[10] >> 2n) | 0x17n);
      });
      await runCommands(image, ['echo']);
      expect(at).not.toBe(0);
      expect(image.checker.findings).toEqual([]);
    },
  );
});

/** Where the last entry lies of the table for the first addresses of a process. */
function lastEntryFor(image: CheckedImage, root: number): number {
  const below = (entry: bigint): number => Number((entry >> 10n) << 12n);
  return below(entryAt(image, below(entryAt(image, root)))) + 511 * 8;
}
