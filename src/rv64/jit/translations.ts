/**
 * Keeps what has been translated: finds it again by the bytes it was made from, and throws the coldest away when there is
 * too much of it.
 *
 * Coldness is found out in two steps. When three quarters of the budget are used, every page forgets what is translated of
 * it; what is still needed is found again, by its content, as soon as it is executed, and so becomes young. When the budget
 * is used up, everything that has stayed old goes.
 *
 * V8 keeps every instance that has ever been given a table for as long as it keeps the table. So when as much has been
 * dropped as may be kept, the table goes, too, with all that is in it.
 */
import type { CodePage } from '../code-page.js';
import { RAM_START, type State } from '../state.js';
import type { KeptRegion } from './kept.js';
import type { Range, Region } from './blocks.js';

/** When so much unknown code has been seen, all is forgotten that was noted of it. */
const MOST_UNKNOWN = 20_000;

/** What has been translated once. */
export interface Translation {
  /** Index in the table. */
  readonly index: number;
  readonly decoded: Region['decoded'];
  readonly ranges: readonly Range[];
  readonly hasProbes: boolean;
  /** The bytes it was made from, range by range. */
  readonly content: readonly Uint8Array[];
  /** What it takes of the budget. */
  readonly bytes: number;
  /** Undefined where it is not to be found again, for a probe makes it other than its bytes say. */
  readonly key: number | undefined;
  /** Indices of functions of other pages that it has copies of. */
  readonly copied: readonly number[];
  /** Whether it has been installed. */
  isUsed: boolean;
  generation: number;
}

export class Translations {
  private table = newTable();
  private freeSlots: number[] = [];
  private readonly byKey = new Map<number, Translation[]>();
  /** In how many pages code has been seen that is not translated, by its key. */
  private readonly unknown = new Map<number, number>();
  /** By their indices. */
  private readonly all = new Map<number, Translation>();
  private generation = 0;
  private isAgeing = false;
  /** Bytes of what was dropped and is in the table's keeping. */
  private worn = 0;
  /** Bytes of the budget that are used, and translations dropped so far. */
  used = 0;
  dropped = 0;

  /** `forgetPages` has every page forget what is translated of it. */
  constructor(
    private readonly state: State,
    readonly budget: number,
    private readonly forgetPages: () => void,
  ) {}

  /** Slot 0 is for the function that leaves translated code. */
  get functions(): WebAssembly.Table {
    return this.table;
  }

  get count(): number {
    return this.all.size;
  }

  /** Slots of the table for so many functions. */
  claimSlots(count: number): number[] {
    const missing = count - this.freeSlots.length;
    if (missing > 0) {
      const first = this.table.grow(missing);
      for (let i = missing - 1; i >= 0; i--) this.freeSlots.push(first + i);
    }
    return Array.from({ length: count }, () => this.freeSlots.pop()!);
  }

  /** Gives back slots that were not needed. */
  returnSlots(slots: readonly number[]): void {
    this.freeSlots.push(...slots);
  }

  at(index: number): Translation | undefined {
    return this.all.get(index);
  }

  /** Remembers the translation of the region that begins at a slot of a page. */
  add(page: CodePage, slot: number, region: Region, index: number, bytes: number): Translation {
    const page4096 = this.contentOf(page);
    const { decoded, ranges, hasProbes, blocks } = region;
    return this.remember({
      index,
      decoded,
      ranges,
      hasProbes,
      content: ranges.map(({ start, end }) => page4096.slice(start, end)),
      bytes,
      key: hasProbes ? undefined : this.keyOf(page, slot),
      copied: blocks.flatMap(({ guard }) => (guard === undefined ? [] : [guard])),
      isUsed: true,
      generation: this.generation,
    });
  }

  /** Remembers what another machine had translated. No copies are made of it, so its instructions need not be known. */
  adopt({ key, ranges, content }: KeptRegion, index: number, bytes: number): Translation {
    const { generation } = this;
    const state = { decoded: new Map(), hasProbes: false, copied: [], isUsed: false, generation };
    return this.remember({ index, key, ranges, content, bytes, ...state });
  }

  private remember(translation: Translation): Translation {
    this.all.set(translation.index, translation);
    this.used += translation.bytes;
    if (translation.key !== undefined) {
      const others = this.byKey.get(translation.key);
      if (others) others.push(translation);
      else this.byKey.set(translation.key, [translation]);
    }
    return translation;
  }

  /** What was translated from the same bytes at the same place in a page. */
  find(page: CodePage, slot: number): Translation | undefined {
    const content = this.contentOf(page);
    const found = this.byKey
      .get(this.keyOf(page, slot))
      ?.find(
        ({ ranges, content: bytes }) =>
          ranges.every((range, i) => isSame(content, range, bytes[i])) &&
          !ranges.some(({ start, end }) => page.hasProbeIn(start, end)),
      );
    if (found) {
      found.isUsed = true;
      found.generation = this.generation;
    }
    return found;
  }

  /** Notes that a slot of a page has code that is not known; returns in how many pages it has been seen there before. */
  noteUnknown(page: CodePage, slot: number): number {
    if (this.unknown.size >= MOST_UNKNOWN) this.unknown.clear();
    const key = this.keyOf(page, slot);
    const before = this.unknown.get(key) ?? 0;
    this.unknown.set(key, before + 1);
    return before;
  }

  /** Keeps within the budget. To be called while no translated code is being executed. */
  trim(): void {
    if (!this.isAgeing && this.used > (this.budget * 3) / 4) {
      this.forgetPages();
      this.generation++;
      this.isAgeing = true;
    } else if (this.used > this.budget) {
      this.forgetPages();
      this.drop((translation) => translation.generation < this.generation);
      if (this.used > (this.budget * 3) / 4) this.drop(() => true);
      this.isAgeing = false;
    }
  }

  /** Drops everything. To be called while no translated code is being executed. */
  clear(): void {
    this.forgetPages();
    this.drop(() => true);
  }

  /** Whether the table is to be renewed. */
  get isWorn(): boolean {
    return this.worn > this.budget;
  }

  /** Drops everything, and the table. What had been given `functions` is to be given it anew. */
  renew(): void {
    this.clear();
    this.table = newTable();
    this.freeSlots = [];
    this.worn = 0;
  }

  private drop(isDropped: (translation: Translation) => boolean): void {
    for (const translation of this.withCopies(isDropped)) {
      this.all.delete(translation.index);
      this.table.set(translation.index, null);
      this.freeSlots.push(translation.index);
      this.used -= translation.bytes;
      this.worn += translation.bytes;
      this.dropped++;
      const { key } = translation;
      if (key === undefined) continue;
      const others = this.byKey.get(key)!.filter((other) => other !== translation);
      if (others.length > 0) this.byKey.set(key, others);
      else this.byKey.delete(key);
    }
  }

  /** Those that are to be dropped, and what has copies of them: it would take whatever gets their indices for them. */
  private withCopies(isDropped: (translation: Translation) => boolean): Set<Translation> {
    const found = new Set<Translation>();
    for (let before = -1; before < found.size;) {
      before = found.size;
      for (const translation of this.all.values()) {
        const hasCopy = translation.copied.some((index) => found.has(this.all.get(index)!));
        if (hasCopy || isDropped(translation)) found.add(translation);
      }
    }
    return found;
  }

  /** A number for the first bytes of an entry and its place. */
  private keyOf(page: CodePage, slot: number): number {
    const bits = this.state.view.getUint32(RAM_START + page.frame * 4096 + slot * 2, true);
    return bits * 2048 + slot;
  }

  private contentOf(page: CodePage): Uint8Array {
    return this.state.ram.subarray(page.frame * 4096, page.frame * 4096 + 4096);
  }
}

const newTable = (): WebAssembly.Table => new WebAssembly.Table({ element: 'anyfunc', initial: 1 });

function isSame(content: Uint8Array, { start }: Range, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    if (content[start + i] !== bytes[i]) return false;
  }
  return true;
}
