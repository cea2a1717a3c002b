import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../src/machine/memory-map.js';
import { PAGE_BYTES, PTE_R, PTE_V, PTE_W } from '../../src/sv39/pte.js';
import { Guest } from '../../src/xv6/guest.js';
import { type EntryChange, Tables } from '../../src/xv6/tables.js';
import { bootImage, kernelElf } from '../support/images.js';

/** Frames that the kernel, which does not run here, leaves alone. */
const [ROOT, MIDDLE, LAST, PAGE] = [64, 65, 66, 67].map((mebibytes) => RAM_BASE + mebibytes * 2 ** 20);

const pointerTo = (frame: number): bigint => BigInt(frame / PAGE_BYTES) << 10n;
const leafTo = (frame: number): bigint => pointerTo(frame) | PTE_V | PTE_R;

function watchedTable() {
  const { machine } = bootImage();
  const set: EntryChange[] = [];
  const tables = new Tables(
    new Guest(machine, kernelElf),
    (change) => set.push(change),
    () => {
      throw new Error('no hart stores here');
    },
  );
  const store = (address: number, ...entries: bigint[]): void => {
    const bytes = new Uint8Array(BigUint64Array.from(entries).buffer);
    expect(machine.writeMemory(BigInt(address), bytes)).toBe(true);
  };
  store(ROOT, pointerTo(MIDDLE) | PTE_V);
  store(MIDDLE, pointerTo(LAST) | PTE_V);
  tables.adopt(ROOT);
  set.length = 0;
  return { tables, set, store };
}

describe('the tables that are watched', () => {
  it('tell of each entry that is set, with what it was', () => {
    const { tables, set, store } = watchedTable();
    store(LAST + 3 * 8, leafTo(PAGE));
    store(LAST + 5 * 8, leafTo(PAGE));
    store(LAST + 3 * 8, leafTo(PAGE) | PTE_W);
    tables.update();
    expect(set.map(({ at, address, before, after }) => [at, address, before, after])).toEqual([
      [LAST + 24, 3 * PAGE_BYTES, 0n, leafTo(PAGE)],
      [LAST + 40, 5 * PAGE_BYTES, 0n, leafTo(PAGE)],
      [LAST + 24, 3 * PAGE_BYTES, leafTo(PAGE), leafTo(PAGE) | PTE_W],
    ]);
    expect(tables.mappingsOf(PAGE).map(({ address }) => address)).toEqual([3 * PAGE_BYTES, 5 * PAGE_BYTES]);
  });

  it('take an entry that is stored to in steps for what it is in the end', () => {
    const { tables, set, store } = watchedTable();
    store(LAST, leafTo(PAGE) | PTE_W);
    store(LAST, leafTo(PAGE));
    tables.update();
    expect(set.map(({ after }) => after)).toEqual([leafTo(PAGE)]);
  });

  it('tell of entries that are cleared where somebody wants to know, and know that they map nothing', () => {
    const { tables, set, store } = watchedTable();
    store(LAST, leafTo(PAGE));
    store(LAST, 0n);
    store(LAST + 8, leafTo(PAGE));
    const cleared: EntryChange[] = [];
    tables.onClear = (change) => cleared.push(change);
    store(LAST + 8, leafTo(PAGE), 0n);
    store(LAST + 8, 0n);
    store(LAST + 16, 0n);
    tables.update();
    expect(set.map(({ at }) => at)).toEqual([LAST + 8]);
    expect(cleared.map(({ at, before }) => [at, before])).toEqual([[LAST + 8, leafTo(PAGE)]]);
    expect(tables.mappingsOf(PAGE)).toEqual([]);
  });

  it('see all of a store of a device that goes over two tables', () => {
    const { tables, set, store } = watchedTable();
    const next = LAST + PAGE_BYTES;
    store(MIDDLE + 8, pointerTo(next) | PTE_V);
    tables.update();
    set.length = 0;
    store(next - 8, leafTo(PAGE), leafTo(PAGE) | PTE_W);
    tables.update();
    expect(set.map(({ at }) => at)).toEqual([next - 8, next]);
  });
});
