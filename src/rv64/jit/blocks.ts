/** What regions are made of; region.ts finds them. */
import type { Compiled } from '../decode-and-run.js';
import type { Row } from '../row.js';
import type { Flow, Template } from './instruction-emitter.js';

/** Where a block goes on: a block of the region by its number, or another place by its distance from the page. */
export type Target = { readonly block: number } | { readonly outside: number };

/** An instruction at its distance from the beginning of the region's page. */
export interface Instruction {
  readonly offset: number;
  readonly template: Template;
}

export interface Block {
  /** Distance from the beginning of the region's page. */
  readonly offset: number;
  /** For the entry of a function of another page: what has to be found there, or the region is left for it. See Callee. */
  readonly guard: number | undefined;
  readonly instructions: readonly Instruction[];
  /** For the head of a loop that fills or copies: what does many rounds at a time, in one piece with marks. */
  readonly idiom: readonly number[] | undefined;
  /** How the last instruction goes on; undefined where it is followed by another block. */
  readonly flow: Flow | undefined;
  /**
   * Where it goes on to: for a branch two, taken and not taken; for an indirect jump everything that it may lead to in the
   * region; none where the last instruction leaves the region itself.
   */
  readonly targets: readonly Target[];
}

/** Bytes of a page that a region was made from: half-open. */
export interface Range {
  readonly start: number;
  end: number;
}

export interface Region {
  /** The first is the entry. */
  readonly blocks: readonly Block[];
  /** Every instruction of the page as code pages keep it, by its distance in the page. */
  readonly decoded: ReadonlyMap<number, Legal>;
  /** Ascending and disjoint. */
  readonly ranges: readonly Range[];
  readonly hasProbes: boolean;
  /** The registers that its instructions use, and those that they write. */
  readonly registers: readonly number[];
  readonly written: readonly number[];
  readonly usesMemory: boolean;
  /** Whether the code counts accesses and idioms. */
  readonly counts: boolean;
}

/**
 * A function of another page that has been translated. As long as the entry map of that page has this index at its entry,
 * the instructions there are these.
 */
export interface Callee {
  /** Its index in the table. */
  readonly index: number;
  readonly decoded: Region['decoded'];
  /** What has probes is not copied. */
  readonly hasProbes: boolean;
}

/** A legal instruction. */
export type Legal = Compiled & { readonly row: Row };
