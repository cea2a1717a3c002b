/**
 * The allocator of physical frames: a stack of free frames. The frame freed last is the one allocated next. It is
 * filled in two phases, because page tables are made of frames and frames must be mapped before they can be filled:
 * first with what the boot page table maps, then with the rest.
 */
import { PAGE_BYTES } from '../../sv39/pte.js';
import { hex, ModelError } from './errors.js';
import { type Memory, roundUp } from './memory.js';

/** Every byte of a free frame but those of its link, and of a frame just allocated. */
export const FREE_JUNK = 1;
export const ALLOCATED_JUNK = 5;

/** The order in which frames come and go. */
export class FrameStack {
  private readonly frames: number[] = [];
  /** For each frame of memory, whether it is on the stack. */
  private readonly members: Uint8Array;

  /** For frames from `start`, an address of a frame, up to `end`. */
  constructor(
    private readonly start: number,
    end: number,
  ) {
    this.members = new Uint8Array(Math.max(0, Math.ceil((end - start) / PAGE_BYTES)));
  }

  get size(): number {
    return this.frames.length;
  }

  has(frame: number): boolean {
    return this.members[this.numberOf(frame)] === 1;
  }

  /** The frame at a depth, 0 being the next to go; 0 where the stack is not as deep. */
  peek(depth = 0): number {
    return this.frames[this.frames.length - 1 - depth] ?? 0;
  }

  /** Throws ModelError for a frame that is on the stack already. */
  push(frame: number): void {
    if (this.has(frame)) throw new ModelError(`frame ${hex(frame)} is free already`);
    this.members[this.numberOf(frame)] = 1;
    this.frames.push(frame);
  }

  /** The frame pushed last, or 0 if there is none. */
  pop(): number {
    const frame = this.frames.pop();
    if (frame === undefined) return 0;
    this.members[this.numberOf(frame)] = 0;
    return frame;
  }

  private numberOf(frame: number): number {
    return (frame - this.start) / PAGE_BYTES;
  }
}

/** kalloc and kfree: the stack, and what the frames hold. */
export class FrameAllocator {
  private readonly stack: FrameStack;

  /** Frames lie from `start` (rounded up) to `end`, both physical addresses. */
  constructor(
    private readonly memory: Memory,
    private readonly start: number,
    private readonly end: number,
  ) {
    this.stack = new FrameStack(roundUp(start), end);
  }

  get freeFrames(): number {
    return this.stack.size;
  }

  isFree(frame: number): boolean {
    return this.stack.has(frame);
  }

  /** One phase of the initialisation: frees the whole frames between two addresses, in ascending order. */
  freeRange(start: number, end: number): void {
    for (let frame = roundUp(start); frame + PAGE_BYTES <= end; frame += PAGE_BYTES) this.free(frame);
  }

  /** Throws ModelError for an address that is no frame's, and for a frame that is free. */
  free(frame: number): void {
    if (frame % PAGE_BYTES !== 0 || frame < this.start || frame + PAGE_BYTES > this.end) {
      throw new ModelError(`${hex(frame)} is not the address of a frame`);
    }
    const next = this.stack.peek();
    this.stack.push(frame);
    this.memory.fill(frame, FREE_JUNK);
    this.memory.write(frame, 8, BigInt(next));
  }

  /** A frame full of junk, or 0 when none is left. */
  allocate(): number {
    const frame = this.stack.pop();
    if (frame !== 0) this.memory.fill(frame, ALLOCATED_JUNK);
    return frame;
  }
}
