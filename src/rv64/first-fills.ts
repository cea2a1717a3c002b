/**
 * A kernel fills all the memory that it has when it starts, and then uses little of it. What the host pays for there is not
 * the filling but its own memory, page by page, as each is first touched. So the first fill of a frame that nobody has
 * touched is made in a spare page, the desk: the TLB leads to that instead, for stores through this one mapping. When the
 * desk is needed for the next frame, only what it was filled with is kept of this one, and its first word, for an allocator
 * chains free frames there. Where there is more to keep, and as soon as anybody else reaches for the frame, it is settled:
 * its bytes go where they belong, and it is a frame like any other.
 */
import type { Tlb } from '../sv39/tlb.js';
import { DESK_START, FRAME_BYTES, type State } from './state.js';

/** What is known of a frame. */
const SETTLED = 0;
/** Nobody has touched it: it is all zeros. */
const FRESH = 1;
/** It is on the desk. */
const OPEN = 2;
/** It is one byte over and over but for its first word. */
const FILLED = 3;

const WORD_BYTES = 8;

const NONE = -1;

export class FirstFills {
  private readonly condition: Uint8Array;
  /** Of a frame that is filled: with what, and what its first eight bytes are. */
  private readonly byte: Uint8Array;
  private readonly firstWord: BigInt64Array;
  private readonly desk: Uint8Array;
  private readonly deskFirstWord: BigInt64Array;
  /** The frame on the desk, and what the desk is full of where it is not changed since. */
  private open = NONE;
  private deskByte = 0;

  /** Whether all bytes of the memory from `start` to `end` are `value`; a multiple of 64. To be replaced by a quick one. */
  isFullOf = (start: number, end: number, value: number): boolean =>
    this.state.bytes.subarray(start, end).every((byte) => byte === value);

  constructor(
    private readonly state: State,
    private readonly tlb: Tlb,
  ) {
    const frames = state.ramBytes / FRAME_BYTES;
    this.condition = new Uint8Array(frames);
    this.byte = new Uint8Array(frames);
    this.firstWord = new BigInt64Array(frames);
    const { buffer } = state.memory;
    this.desk = new Uint8Array(buffer, DESK_START, FRAME_BYTES);
    this.deskFirstWord = new BigInt64Array(buffer, DESK_START, 1);
  }

  /** Declares these frames all zeros and untouched; without that all count as settled. */
  declareFresh(first: number, end: number): void {
    this.condition.fill(FRESH, first, end);
  }

  /**
   * Fills the first bytes of a frame that is fresh, on the desk, and returns where that lies in the memory. 0, with nothing
   * done, where the frame is not fresh.
   */
  fill(frame: number, bytes: number, value: number): number {
    if (this.condition[frame] !== FRESH) return 0;
    this.clearDesk();
    if (value !== this.deskByte) this.desk.fill(value);
    this.desk.fill(0, bytes);
    this.deskByte = value;
    this.condition[frame] = OPEN;
    this.open = frame;
    return DESK_START;
  }

  /** Sees to it that the frame's bytes are in RAM. To be called before they are used in any other way than by the desk. */
  settle(frame: number): void {
    if (this.condition[frame] === SETTLED) return;
    if (this.condition[frame] === OPEN) this.clearDesk();
    if (this.condition[frame] === FILLED) this.restore(frame, this.state.ram, frame * FRAME_BYTES);
    this.condition[frame] = SETTLED;
  }

  /** What is in a frame that is not settled, and stays so; undefined for others. */
  contentOf(frame: number): Uint8Array | undefined {
    const condition = this.condition[frame];
    if (condition === SETTLED || condition === FRESH) return undefined;
    if (condition === OPEN) return this.desk.slice();
    const content = new Uint8Array(FRAME_BYTES);
    this.restore(frame, content, 0);
    return content;
  }

  /** Writes what is known of a frame that is filled. */
  private restore(frame: number, into: Uint8Array, start: number): void {
    into.fill(this.byte[frame], start, start + FRAME_BYTES);
    into.set(new Uint8Array(this.firstWord.buffer, frame * WORD_BYTES, WORD_BYTES), start);
  }

  /** Takes all frames for settled as they are in RAM, which was replaced as a whole. The TLB is to be flushed. */
  forget(): void {
    this.condition.fill(SETTLED);
    this.open = NONE;
    this.desk.fill(this.deskByte);
  }

  /** The same for all frames that these bytes of RAM lie in. */
  settleRange(ramOffset: number, bytes: number): void {
    const end = Math.ceil((ramOffset + bytes) / FRAME_BYTES);
    for (let frame = Math.floor(ramOffset / FRAME_BYTES); frame < end; frame++) this.settle(frame);
  }

  /** Ends the use of the desk by the frame that is on it. The desk is full of its byte again. */
  private clearDesk(): void {
    const frame = this.open;
    if (frame === NONE) return;
    this.open = NONE;
    this.tlb.dropWriters(frame);
    const firstWord = this.deskFirstWord[0];
    this.desk.fill(this.deskByte, 0, WORD_BYTES);
    if (this.isFullOf(DESK_START, DESK_START + FRAME_BYTES, this.deskByte)) {
      this.condition[frame] = FILLED;
      this.byte[frame] = this.deskByte;
      this.firstWord[frame] = firstWord;
      return;
    }
    this.condition[frame] = SETTLED;
    this.deskFirstWord[0] = firstWord;
    this.state.ram.set(this.desk, frame * FRAME_BYTES);
    this.desk.fill(this.deskByte);
  }
}
