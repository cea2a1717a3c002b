/** kmalloc and kmfree: blocks of at most a page, which lie in frames and never overlap. */
import { PAGE_BYTES } from '../../sv39/pte.js';
import { hex, ModelError } from './errors.js';
import { roundDown } from './memory.js';

export interface Block {
  /** Physical address, which is the kernel's virtual one too. */
  readonly start: number;
  readonly bytes: number;
}

export const LARGEST_BLOCK = PAGE_BYTES;

/** The blocks given and not freed yet. Where they lie is the kernel's choice; that they do not overlap is the law. */
export class Blocks {
  /** By the frame that a block begins in: none reaches beyond it. */
  private readonly byFrame = new Map<number, Block[]>();
  /** Where blocks began that were freed, and none was given since; by frame. */
  private readonly freed = new Map<number, Set<number>>();

  get(start: number): Block | undefined {
    return this.byFrame.get(roundDown(start))?.find((block) => block.start === start);
  }

  /** A block given that shares bytes with `block`. */
  overlapping(block: Block): Block | undefined {
    const others = this.byFrame.get(roundDown(block.start)) ?? [];
    return others.find(
      (other) => other.start < block.start + block.bytes && block.start < other.start + other.bytes,
    );
  }

  /** Whether a block that began here was freed, and none was given here since. */
  wasFreed(start: number): boolean {
    return this.freed.get(roundDown(start))?.has(start) ?? false;
  }

  /** Throws ModelError for a block that is too large, reaches over the end of its frame, or overlaps another. */
  give(block: Block): void {
    if (block.bytes > LARGEST_BLOCK)
      throw new ModelError(`${block.bytes} bytes are more than a block can have`);
    if (roundDown(block.start) !== roundDown(block.start + Math.max(block.bytes, 1) - 1)) {
      throw new ModelError(`block ${hex(block.start)} reaches over the end of its frame`);
    }
    const other = this.overlapping(block);
    if (other) throw new ModelError(`block ${hex(block.start)} overlaps ${hex(other.start)}`);
    this.put(block);
  }

  /** Takes note of a block, lawful or not. */
  put(block: Block): void {
    const frame = roundDown(block.start);
    const others = this.byFrame.get(frame) ?? [];
    this.byFrame.set(frame, [...others.filter((other) => other.start !== block.start), block]);
    this.freed.get(frame)?.delete(block.start);
  }

  /** Throws ModelError for an address that no block begins at. */
  free(start: number): Block {
    const block = this.get(start);
    if (block === undefined) {
      throw new ModelError(`${hex(start)} ${this.wasFreed(start) ? 'was freed already' : 'is not a block'}`);
    }
    const frame = roundDown(start);
    const rest = this.byFrame.get(frame)!.filter((other) => other !== block);
    if (rest.length > 0) this.byFrame.set(frame, rest);
    else this.byFrame.delete(frame);
    const freed = this.freed.get(frame) ?? new Set();
    this.freed.set(frame, freed.add(start));
    return block;
  }

  /** Forgets what lay in a frame that kmalloc gave back. */
  forgetFrame(frame: number): void {
    this.freed.delete(frame);
  }
}
