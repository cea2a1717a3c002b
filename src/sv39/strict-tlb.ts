/**
 * A TLB that forgets nothing by itself: for each hart, every valid entry of a page table that a walk has read since
 * the last sfence.vma that covers it. A walk goes by these where it can, so it gives what the specification lets
 * hardware give at worst (privileged specification, section "Supervisor Memory-Management Fence Instruction"), and
 * notices when that is no longer what memory says.
 *
 * Entries are kept under the address space that they were read in, and under the address and level that they
 * translate. The specification also lets hardware keep entries that are not valid, and guess ahead; neither is done:
 * kernels that make a page present without a fence are common, and harmless nearly everywhere.
 */
import { isLeaf, LEVELS, PAGE_SHIFT, PTE_A, PTE_BYTES, PTE_D, PTE_G, PTE_V } from './pte.js';
import { type Access, type Regime, type TableMemory, walk, type Walk } from './walk.js';

/** An entry as a hart read it. `Store` is what whoever watches wants to know of a store. */
export interface KeptEntry<Store> {
  readonly hart: number;
  /** Physical address of the entry. */
  readonly at: number;
  pte: bigint;
  readonly level: number;
  /** satp when it was read. */
  readonly satp: bigint;
  /** The first store to it since then. */
  changed: Store | undefined;
  /** False once a fence has covered it. */
  isKept: boolean;
  isReported: boolean;
}

/** An access that an entry no longer in force has decided. */
export interface StaleUse<Store> {
  readonly virtual: bigint;
  readonly access: Access;
  readonly entry: KeptEntry<Store>;
  /** What the hart made of the access, and what a walk of memory makes of it. */
  readonly kept: Walk;
  readonly present: Walk;
}

/** The entries kept for each hart, by where they are looked for. */
export type KeptEntries<Store> = readonly (readonly (readonly [number, readonly KeptEntry<Store>[]])[])[];

const HARDWARE_BITS = PTE_A | PTE_D;

const asidOf = (satp: bigint): number => Number((satp >> 44n) & 0xffffn);

/** Where an entry is looked for: one number for its level and the virtual addresses it translates. */
const keyOf = (virtual: bigint, level: number): number =>
  level * 2 ** 27 + Number(BigInt.asUintN(39, virtual) >> BigInt(PAGE_SHIFT + 9 * level));

export class StrictTlb<Store> {
  private readonly harts: Map<number, KeptEntry<Store>[]>[];
  /** Entries by the frame that they lie in. */
  private readonly byFrame = new Map<number, KeptEntry<Store>[]>();

  /** `onKeep` is told the frame of each entry that is kept: stores to it have to be announced from then on. */
  constructor(
    harts: number,
    private readonly onKeep: (physical: number) => void,
    private readonly onStale: (use: StaleUse<Store>) => void,
  ) {
    this.harts = Array.from({ length: harts }, () => new Map());
  }

  /**
   * Walks as `walk` does, by kept entries where there are any. `isPresent` is false where the result may differ
   * from what memory says, or will after the next store to the tables that memory names.
   */
  walk(
    hart: number,
    virtual: bigint,
    access: Access,
    regime: Regime,
    satp: bigint,
    memory: TableMemory,
  ): { result: Walk; isPresent: boolean } {
    const used: KeptEntry<Store>[] = [];
    const read: KeptEntry<Store>[] = [];
    let level = LEVELS - 1;
    let isOutdated = false;
    const result = walk(virtual, access, regime, {
      visitTable: (ppn, at, base) => {
        level = at;
        memory.visitTable(ppn, at, base);
      },
      readPte: (at) => {
        const known = this.find(hart, virtual, level, satp);
        if (known) {
          used.push(known);
          return known.pte;
        }
        const pte = memory.readPte(at);
        if (pte !== undefined && (pte & PTE_V) !== 0n) {
          read.push({ hart, at, pte, level, satp, changed: undefined, isKept: true, isReported: false });
        }
        return pte;
      },
      // Step 7: a comparison with the entry in memory, which is read anew where they differ.
      writePte: (at, pte) => {
        const leaf = used.at(-1)?.level === level ? used.at(-1)! : undefined;
        if (leaf === undefined) {
          read.at(-1)!.pte = pte;
          return memory.writePte(at, pte);
        }
        const present = memory.readPte(leaf.at);
        isOutdated = present === undefined || ((present ^ leaf.pte) & ~HARDWARE_BITS) !== 0n;
        if (isOutdated) return true;
        leaf.pte = pte | present!;
        return memory.writePte(leaf.at, leaf.pte);
      },
    });
    if (isOutdated) {
      this.forget(hart, virtual, level, (entry) => entry === used.at(-1));
      return this.walk(hart, virtual, access, regime, satp, memory);
    }
    for (const entry of read) this.keep(entry, virtual);
    const suspect = used.find((entry) => entry.changed !== undefined) ?? used.find((e) => e.satp !== satp);
    if (suspect && !suspect.isReported) this.compare(virtual, access, regime, memory, suspect, result);
    return { result, isPresent: suspect === undefined };
  }

  /** sfence.vma on a hart, with the address in rs1 and the address space in rs2, each undefined for x0. */
  fence(hart: number, virtual: bigint | undefined, asid: number | undefined): void {
    const covers = (entry: KeptEntry<Store>): boolean =>
      asid === undefined || (asidOf(entry.satp) === asid && (entry.pte & PTE_G) === 0n);
    if (virtual !== undefined) {
      const isLeafEntry = (entry: KeptEntry<Store>): boolean => isLeaf(entry.pte) && covers(entry);
      for (let level = 0; level < LEVELS; level++) this.forget(hart, virtual, level, isLeafEntry);
      return;
    }
    for (const [key, entries] of this.harts[hart]) this.forgetAt(hart, key, entries, covers);
  }

  /** A store is about to be made. `describe` is called where it concerns a kept entry; returns false where no entry of the frame is kept any more. */
  beforeStore(physical: number, bytes: number, describe: () => Store): boolean {
    const frame = Math.floor(physical / 4096);
    const entries = (this.byFrame.get(frame) ?? []).filter((entry) => entry.isKept);
    if (entries.length === 0) {
      this.byFrame.delete(frame);
      return false;
    }
    this.byFrame.set(frame, entries);
    const touched = entries.filter(
      ({ at, changed }) => changed === undefined && at + PTE_BYTES > physical && at < physical + bytes,
    );
    if (touched.length > 0) {
      const store = describe();
      for (const entry of touched) entry.changed = store;
    }
    return true;
  }

  /** A copy of what is kept. */
  save(): KeptEntries<Store> {
    return this.harts.map((byPlace) =>
      [...byPlace].map(([key, entries]) => [key, copiesOf(entries)] as const),
    );
  }

  /** Takes back what `save` returned. */
  restore(kept: KeptEntries<Store>): void {
    this.byFrame.clear();
    kept.forEach((byPlace, hart) => {
      this.harts[hart] = new Map(byPlace.map(([key, entries]) => [key, copiesOf(entries)]));
      for (const entries of this.harts[hart].values()) entries.forEach((entry) => this.watch(entry));
    });
  }

  private find(hart: number, virtual: bigint, level: number, satp: bigint): KeptEntry<Store> | undefined {
    const asid = asidOf(satp);
    return this.harts[hart]
      .get(keyOf(virtual, level))
      ?.find((entry) => asidOf(entry.satp) === asid || (entry.pte & PTE_G) !== 0n);
  }

  /** A leaf without A is not kept: nothing may be translated by it (step 7). */
  private keep(entry: KeptEntry<Store>, virtual: bigint): void {
    if (isLeaf(entry.pte) && (entry.pte & PTE_A) === 0n) return;
    const key = keyOf(virtual, entry.level);
    const entries = this.harts[entry.hart].get(key);
    if (entries) entries.push(entry);
    else this.harts[entry.hart].set(key, [entry]);
    this.watch(entry);
  }

  private watch(entry: KeptEntry<Store>): void {
    const frame = Math.floor(entry.at / 4096);
    const others = this.byFrame.get(frame);
    if (others) others.push(entry);
    else this.byFrame.set(frame, [entry]);
    this.onKeep(entry.at);
  }

  private forget(
    hart: number,
    virtual: bigint,
    level: number,
    isMeant: (entry: KeptEntry<Store>) => boolean,
  ): void {
    const key = keyOf(virtual, level);
    this.forgetAt(hart, key, this.harts[hart].get(key) ?? [], isMeant);
  }

  private forgetAt(
    hart: number,
    key: number,
    entries: KeptEntry<Store>[],
    isMeant: (entry: KeptEntry<Store>) => boolean,
  ): void {
    const left = entries.filter((entry) => !(isMeant(entry) && ((entry.isKept = false), true)));
    if (left.length > 0) this.harts[hart].set(key, left);
    else this.harts[hart].delete(key);
  }

  private compare(
    virtual: bigint,
    access: Access,
    regime: Regime,
    memory: TableMemory,
    entry: KeptEntry<Store>,
    kept: Walk,
  ): void {
    const present = walk(virtual, access, regime, {
      readPte: memory.readPte,
      writePte: () => true,
      visitTable: () => {},
    });
    const isSame = kept.ok ? present.ok && kept.physical === present.physical : !present.ok;
    if (isSame) return;
    entry.isReported = true;
    this.onStale({ virtual, access, entry, kept, present });
  }
}

const copiesOf = <Store>(entries: readonly KeptEntry<Store>[]): KeptEntry<Store>[] =>
  entries.map((entry) => ({ ...entry }));
