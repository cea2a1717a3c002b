/**
 * Finds the region that belongs to an entry: the instructions of one page that can be reached from it by branches
 * and direct jumps, cut into basic blocks.
 */
import type { SetProbe } from '../code-page.js';
import { compile, type Compiled } from '../decode-and-run.js';
import { lengthFromBits } from '../decode.js';
import { rows } from '../isa/index.js';
import type { Row } from '../row.js';
import { idiomFor } from './idioms.js';
import { type Flow, type Instruction, InstructionEmitter } from './instruction-emitter.js';
import type { Code } from './wasm.js';

/** Longer regions gain little and take long to compile. */
const MAX_INSTRUCTIONS = 200;

const PAGE_BYTES = 4096;

/** Where a block goes on: a block of the region by its number, or another place by its distance in the page. */
export type Target = { readonly block: number } | { readonly outside: number };

export interface Block {
  /** Distance in the page. */
  readonly offset: number;
  readonly instructions: readonly Instruction[];
  /** For the head of a loop that fills or copies: what does many rounds at a time. */
  readonly idiom: Code | undefined;
  /** How the last instruction goes on; undefined where it is followed by another block. */
  readonly flow: Flow | undefined;
  /**
   * Where it goes on to: for a branch two, taken and not taken; for an indirect jump everything that a call in the region
   * returns to; none where the last instruction leaves the region itself.
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
  /** Every instruction as code pages keep it, by its distance in the page. */
  readonly decoded: ReadonlyMap<number, Compiled>;
  /** Ascending and disjoint. */
  readonly ranges: readonly Range[];
  readonly emitter: InstructionEmitter;
}

const rowIndex: ReadonlyMap<Row, number> = new Map(rows.map((row, index) => [row, index]));

/**
 * The region that begins at a distance in a page; undefined where there is no instruction that can be translated.
 * Instructions with probes are left to the interpreter, but for those probes that can be translated; and what is called is
 * part of the region only where it is hot. For `counts` see InstructionEmitter.
 */
export function findRegion(
  page: DataView,
  entry: number,
  probeAt: (slot: number) => SetProbe | undefined,
  isHot: (slot: number) => boolean,
  counts = false,
): Region | undefined {
  const finder = new Finder(page, entry, probeAt, isHot, counts);
  finder.explore();
  return finder.instructions.has(entry) ? finder.region() : undefined;
}

class Finder {
  readonly instructions = new Map<number, Instruction>();
  private readonly decoded = new Map<number, Compiled>();
  /**
   * Where blocks begin besides the entry. That one cuts no block unless something jumps to it: a slice may begin anywhere,
   * and a loop that is entered in its middle must still be found to be a fill.
   */
  private readonly leaders = new Set<number>();
  /** What calls in the region return to. */
  private readonly returns = new Set<number>();
  private readonly emitter: InstructionEmitter;

  constructor(
    private readonly page: DataView,
    private readonly entry: number,
    private readonly probeAt: (slot: number) => SetProbe | undefined,
    isHot: (slot: number) => boolean,
    counts: boolean,
  ) {
    this.emitter = new InstructionEmitter(
      (offset) => offset >= 0 && offset < PAGE_BYTES && isHot(offset >>> 1),
      counts,
    );
  }

  /** Translates what can be reached from the entry, nearest first. */
  explore(): void {
    this.exploreFrom(this.entry);
    for (const leader of this.leaders) this.exploreFrom(leader);
  }

  private exploreFrom(leader: number): void {
    let offset = leader;
    while (this.instructions.size < MAX_INSTRUCTIONS) {
      if (this.instructions.has(offset)) {
        // Another block has come this way; here it is cut in two.
        if (offset !== this.entry) this.leaders.add(offset);
        return;
      }
      const instruction = this.translate(offset);
      if (instruction === undefined) return;
      offset += instruction.bytes;
      const { flow } = instruction;
      if (flow === undefined) continue;
      if (flow.kind === 'jump' || flow.kind === 'call') this.leaders.add(flow.to);
      if (flow.kind === 'call') {
        this.leaders.add(offset);
        this.returns.add(offset);
      }
      if (flow.kind === 'branch') this.leaders.add(offset).add(flow.taken);
      return;
    }
  }

  private translate(offset: number): Instruction | undefined {
    const compiled = this.decode(offset);
    if (compiled === undefined) return undefined;
    const { word, row } = compiled;
    const reference = { index: rowIndex.get(row)!, hasRd: row.fields.has('rd') };
    const probe = this.probeAt(offset >>> 1);
    if (probe && !probe.emit) return undefined;
    const instruction = this.emitter.emit(offset, word, reference, (t) => {
      probe?.emit?.(this.emitter);
      if (row.emit) row.emit(t, word);
      else t.interpret();
    });
    // It may be left to the interpreter, which would call the probe after the probe's translation has done its part.
    if (probe && instruction.touchesMemory) return undefined;
    this.instructions.set(offset, instruction);
    this.decoded.set(offset, compiled);
    return instruction;
  }

  /** The legal instruction at an offset; undefined where there is none, or not all of it lies in the page. */
  private decode(offset: number): (Compiled & { row: Row }) | undefined {
    if (offset < 0 || offset > PAGE_BYTES - 2) return undefined;
    const low = this.page.getUint16(offset, true);
    const isShort = lengthFromBits(low) === 2;
    if (!isShort && offset > PAGE_BYTES - 4) return undefined;
    const compiled = compile(isShort ? low : this.page.getInt32(offset, true));
    return compiled.row && { ...compiled, row: compiled.row };
  }

  /** Cuts what was found into blocks. */
  region(): Region {
    const leaders = [...this.leaders].filter((leader) => this.instructions.has(leader));
    const starts = [...new Set([this.entry, ...leaders])];
    const numbers = new Map(starts.map((start, number) => [start, number]));
    const target = (offset: number): Target => {
      const block = numbers.get(offset);
      return block === undefined ? { outside: offset } : { block };
    };
    const blocks = starts.map((start) => this.block(start, target));
    return { blocks, decoded: this.decoded, ranges: this.ranges(), emitter: this.emitter };
  }

  private block(start: number, target: (offset: number) => Target): Block {
    const instructions: Instruction[] = [];
    let offset = start;
    for (;;) {
      const instruction = this.instructions.get(offset);
      if (instruction === undefined || (offset !== start && this.leaders.has(offset))) {
        const targets = [target(offset)];
        return { offset: start, instructions, flow: undefined, targets, idiom: undefined };
      }
      instructions.push(instruction);
      offset += instruction.bytes;
      const { flow } = instruction;
      if (flow === undefined) continue;
      const targets = this.placesAfter(flow, offset).map(target);
      const isLoop = flow.kind === 'branch' && flow.taken === start && !instructions.some(this.hasProbe);
      const idiom = isLoop
        ? idiomFor(
            instructions.map((item) => this.decoded.get(item.offset)!),
            this.emitter,
          )
        : undefined;
      return { offset: start, instructions, flow, targets, idiom };
    }
  }

  private readonly hasProbe = ({ offset }: Instruction): boolean => this.probeAt(offset >>> 1) !== undefined;

  /** See Block.targets; `next` is the place of the next instruction. */
  private placesAfter(flow: Flow, next: number): number[] {
    switch (flow.kind) {
      case 'branch':
        return [flow.taken, next];
      case 'jump':
      case 'call':
        return [flow.to];
      case 'indirect':
        return [...this.returns].filter((place) => this.instructions.has(place));
      case 'leave':
        return [];
    }
  }

  private ranges(): readonly Range[] {
    const ranges: Range[] = [];
    for (const offset of [...this.instructions.keys()].sort((a, b) => a - b)) {
      const end = offset + this.instructions.get(offset)!.bytes;
      const last = ranges[ranges.length - 1];
      if (last !== undefined && offset <= last.end) last.end = Math.max(last.end, end);
      else ranges.push({ start: offset, end });
    }
    return ranges;
  }
}
