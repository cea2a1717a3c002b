/**
 * The free list of the guest: the variables that it begins in, whatever the kernel calls them, and, while there is one
 * list that is kept as a stack, the model's stack, which says what comes next.
 */
import { registerOf } from '../machine/as-numbers.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { Guest } from './guest.js';
import { hex } from './model/errors.js';
import { FREE_JUNK, FrameStack } from './model/frames.js';
import { roundDown } from './model/memory.js';

/** So many calls of kfree decide between the variables that could be the head of the free list. */
const HEAD_SEARCHES = 64;
const MOST_HEADS = 16;

const STACK_POINTER = 2;

/** The first word of a frame that was filled and not linked, as Guest.word reads it. */
const UNLINKED = FREE_JUNK * 0x0101_0101 * (1 + 2 ** 32);

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
  /** What each held when `noteFirsts` was called last. */
  private readonly firsts = new Map<number, number>();
  private frees = 0;
  private locks: readonly number[] | undefined;

  /**
   * `firstFrame` is where the kernel ends; `mayBeFirst` says whether a list may begin with a frame by what is known of
   * that; `onAbandon` is called when the kernel turns out to keep no single stack.
   */
  constructor(
    private readonly guest: Guest,
    private readonly firstFrame: number,
    private readonly mayBeFirst: (frame: number) => boolean,
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
    return this.headWith(frame) !== undefined;
  }

  /** Where the list begins that this frame is the first of. */
  headWith(frame: number): number | undefined {
    for (const head of this.heads) if (this.guest.word(head) === frame) return head;
    return undefined;
  }

  /** Adds to `lost` the frames that lists began with at the last call, and no longer do, each followed by where its list begins. */
  noteFirsts(lost: number[]): void {
    // A variable that pointed to a frame when that was freed may be any.
    if (this.heads.length > 1)
      this.heads = this.heads.filter((head) => this.mayBeFirst(this.guest.word(head)));
    for (const head of this.heads) {
      const [before, first] = [this.firsts.get(head), this.guest.word(head)];
      if (before === first) continue;
      if (before !== undefined) lost.push(before, head);
      this.firsts.set(head, first);
    }
  }

  /** Whether a lock was held at every change so far, as the list's own lock is. */
  isGuardedBy(lock: number): boolean {
    return this.locks === undefined || this.locks.includes(lock);
  }

  /** Takes note of the locks held at a change. */
  noteLocks(locks: readonly number[]): void {
    this.locks = this.locks?.filter((lock) => locks.includes(lock)) ?? locks;
  }

  /** Predicts nothing any more, for the list is broken, and a finding says so. */
  giveUp(): void {
    this.stack = undefined;
  }

  private abandon(): void {
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

  /** Takes note of a frame that kfree has put on a list. Returns what is wrong with its link, if anything is. */
  put(frame: number, hart: Hart): string | undefined {
    this.searchHead(frame, hart);
    if (this.stack === undefined) return undefined;
    const link = this.guest.word(frame);
    const isExpected = !this.stack.has(frame) && (!this.predicts || link === this.stack.peek());
    const wrong = this.predicts && !isExpected ? describeLink(frame, link) : undefined;
    if (isExpected) this.stack.push(frame);
    else if (wrong === undefined) this.abandon();
    else this.giveUp();
    return wrong;
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

/** What is wrong with a link that no kernel makes on purpose. */
function describeLink(frame: number, link: number): string | undefined {
  if (link === frame)
    return `the free list has a cycle: ${hex(frame)} is linked to itself, as if freed twice`;
  if (link !== UNLINKED) return undefined;
  return `kfree put ${hex(frame)} at the beginning of the free list and did not link it to the rest, which is lost`;
}
