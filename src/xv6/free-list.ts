/**
 * The free list of the guest: the variables that it begins in, whatever the kernel calls them, and, while there is one
 * list that is kept as a stack, the model's stack, which says what comes next.
 */
import { registerOf } from '../machine/as-numbers.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { Guest } from './guest.js';
import { FrameStack } from './model/frames.js';
import { roundDown } from './model/memory.js';

/** So many calls of kfree decide between the variables that could be the head of the free list. */
const HEAD_SEARCHES = 64;
const MOST_HEADS = 16;

const STACK_POINTER = 2;

/** Where the guest's list goes on in another way than the model's: after `first` comes `link`, and not `next`. */
export interface Break {
  readonly first: number;
  readonly link: number;
  readonly next: number;
  /** Frames that the list has lost thereby. */
  readonly lost: number;
}

export class FreeList {
  /** Undefined once the kernel was seen to keep something else. */
  private stack: FrameStack | undefined;
  /** Addresses of variables that hold the frame freed last. */
  private heads: number[] = [];
  private frees = 0;
  private locks: readonly number[] | undefined;

  /** `firstFrame` is where the kernel ends; `onAbandon` is called when the kernel turns out to keep no single stack. */
  constructor(
    private readonly guest: Guest,
    private readonly firstFrame: number,
    private readonly onAbandon: () => void,
  ) {
    this.stack = new FrameStack(guest.ramStart, guest.ramEnd);
  }

  /** Whether the model's stack still predicts the kernel's choice of frames. */
  get predicts(): boolean {
    return this.stack !== undefined && this.heads.length === 1;
  }

  /** Whether a frame is the first of a list; so it is taken for as long as no head is known. */
  mayBeginWith(frame: number): boolean {
    return this.heads.length === 0 || this.beginsWith(frame);
  }

  beginsWith(frame: number): boolean {
    for (const head of this.heads) if (this.guest.word(head) === frame) return true;
    return false;
  }

  /** Whether a lock was held at every change so far, as the list's own lock is. */
  isGuardedBy(lock: number): boolean {
    return this.locks === undefined || this.locks.includes(lock);
  }

  /** Takes note of the locks held at a change. */
  noteLocks(locks: readonly number[]): void {
    this.locks = this.locks?.filter((lock) => locks.includes(lock)) ?? locks;
  }

  abandon(): void {
    if (this.stack === undefined) return;
    this.stack = undefined;
    this.onAbandon();
  }

  // ---- kalloc -------------------------------------------------------------------------------------------

  /** Takes the frame off the model's stack that the guest's list has lost at its beginning. 0 where it has lost none. */
  popIfTaken(): number {
    if (!this.predicts || this.stack!.size === 0) return 0;
    const head = this.guest.word(this.heads[0]);
    if (head === this.stack!.peek()) return 0;
    if (head === this.stack!.peek(1)) return this.stack!.pop();
    this.abandon();
    return 0;
  }

  /** Takes a frame off the model's stack that kalloc has returned. */
  take(frame: number): void {
    if (this.stack?.peek() === frame) this.stack.pop();
    else this.abandon();
  }

  /** Where the first frame is linked to another than that below it on the model's stack. */
  findBreak(): Break | undefined {
    const first = this.stack!.peek();
    if (first === 0) return undefined;
    const [link, next] = [this.guest.word(first), this.stack!.peek(1)];
    return link === next ? undefined : { first, link, next, lost: link === 0 ? this.stack!.size - 1 : 0 };
  }

  // ---- kfree --------------------------------------------------------------------------------------------

  /** Takes note of a frame that kfree has put on a list. Returns false for one that is now linked to itself. */
  put(frame: number, hart: Hart): boolean {
    this.searchHead(frame, hart);
    if (this.stack === undefined) return true;
    const link = this.guest.word(frame);
    const isCycle = this.predicts && link === frame;
    const isExpected = !this.stack.has(frame) && (!this.predicts || link === this.stack.peek());
    if (isExpected) this.stack.push(frame);
    else this.abandon();
    return !isCycle;
  }

  private searchHead(frame: number, hart: Hart): void {
    const isRefining = this.frees++ < HEAD_SEARCHES;
    if (!this.beginsWith(frame)) {
      if (this.heads.length < MOST_HEADS) this.heads = [...this.heads, ...this.variablesHolding(frame, hart)];
    } else if (isRefining) this.heads = this.heads.filter((head) => this.guest.word(head) === frame);
  }

  /** The words of the kernel's data with this value; the stack that the hart is on holds it for a while only. */
  private variablesHolding(frame: number, hart: Hart): number[] {
    const { guest } = this;
    const stackPointer = registerOf(hart, STACK_POINTER);
    const start = roundDown(guest.address('etext') ?? guest.ramStart);
    const found: number[] = [];
    for (let at = start; at + 8 <= this.firstFrame; at += 8) {
      if (Math.abs(at - stackPointer) >= PAGE_BYTES && guest.word(at) === frame) found.push(at);
    }
    return found;
  }
}
