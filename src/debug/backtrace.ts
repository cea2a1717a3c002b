/**
 * Backtraces through frame pointers, as a compiler lays them out under -fno-omit-frame-pointer (RISC-V psABI, "Frame
 * Pointer Convention"): s0 holds the frame's upper end, with the return address and the caller's s0 just below it.
 * They are taken often, so everything here is a plain number, memory is read from one view, and equal stacks are one array.
 */
import { pcOf, registerOf, rootTableOf } from '../machine/as-numbers.js';
import type { Machine } from '../machine/machine.js';
import { RAM_BASE } from '../machine/memory-map.js';
import type { Hart } from '../rv64/hart.js';
import { ENTRIES_PER_TABLE, LEVELS, PAGE_BYTES, PTE_BYTES } from '../sv39/pte.js';

const FRAME_POINTER = 8;
const RETURN_ADDRESS = 1;
const MAXIMUM_DEPTH = 16;

/** A kernel stack is a page or two; a frame pointer further away belongs to no frame of it. */
const MAXIMUM_FRAME_BYTES = 4 * PAGE_BYTES;

/** Bits of a PTE's low word: V, and R, W, X, any of which makes a leaf. */
const VALID = 1;
const LEAF = 0xe;

/** Bytes that an entry of each level spans. */
const SPANS = Array.from({ length: LEVELS }, (_, level) => PAGE_BYTES * ENTRIES_PER_TABLE ** level);

export class Backtracer {
  /** All of RAM, once there was a backtrace: most runs take none, and have no use for most of RAM. */
  private ram: DataView | undefined;
  /** The page of virtual memory that was read last in this backtrace, and where it lies; -1 for nowhere. */
  private page = -1;
  private frameOffset = -1;
  /** The addresses of the backtrace that is being taken. */
  private readonly addresses = new Float64Array(MAXIMUM_DEPTH);
  private depth = 0;
  /** Every stack that there ever was, by a hash: a guest comes to the same places again and again. */
  private readonly known = new Map<number, (readonly number[])[]>();

  constructor(private readonly machine: Machine) {}

  /**
   * The pc, then return addresses from the innermost call outwards. At a function's first instruction its frame does
   * not stand yet: say so with `atEntry`.
   */
  of(hart: Hart, atEntry: boolean): readonly number[] {
    this.page = -1;
    this.depth = 0;
    this.push(pcOf(hart));
    if (atEntry) this.push(registerOf(hart, RETURN_ADDRESS));
    let frame = registerOf(hart, FRAME_POINTER);
    // A function that calls none may keep its return address in ra, and save s0 only.
    const saved = atEntry ? 0 : this.word(hart, frame - 8);
    if (isNextFrame(saved, frame)) {
      this.push(registerOf(hart, RETURN_ADDRESS));
      frame = saved;
    }
    while (this.depth < MAXIMUM_DEPTH) {
      const returnAddress = this.word(hart, frame - 8);
      if (returnAddress === 0) break;
      this.push(returnAddress);
      const caller = this.word(hart, frame - 16);
      if (!isNextFrame(caller, frame)) break;
      frame = caller;
    }
    return this.shared();
  }

  private push(address: number): void {
    this.addresses[this.depth++] = address;
  }

  /** The addresses as the one array for all stacks like it. */
  private shared(): readonly number[] {
    const { addresses, depth } = this;
    let hash = 0;
    for (let index = 0; index < depth; index++) hash = (Math.imul(hash, 31) + addresses[index]) | 0;
    const alike = this.known.get(hash) ?? [];
    for (const stack of alike) if (this.isThis(stack)) return stack;
    const stack = Array.from(addresses.subarray(0, depth));
    this.known.set(hash, [...alike, stack]);
    return stack;
  }

  private isThis(stack: readonly number[]): boolean {
    if (stack.length !== this.depth) return false;
    for (let index = 0; index < stack.length; index++) {
      if (stack[index] !== this.addresses[index]) return false;
    }
    return true;
  }

  /** The doubleword at a virtual address, as the hart's present table translates it; 0 where there is none. */
  private word(hart: Hart, address: number): number {
    // The operator takes the low 32 bits of any address.
    const offset = address & (PAGE_BYTES - 1);
    if (address < 0 || offset % 8 !== 0) return 0;
    if (address - offset !== this.page) {
      this.page = address - offset;
      this.frameOffset = this.translate(hart, this.page) - RAM_BASE;
    }
    const at = this.frameOffset + offset;
    const ram = (this.ram ??= this.viewOfRam());
    if (at < 0 || at + 8 > ram.byteLength) return 0;
    return ram.getUint32(at, true) + ram.getUint32(at + 4, true) * 2 ** 32;
  }

  private viewOfRam(): DataView {
    const ram = this.machine.readMemory(BigInt(RAM_BASE), this.machine.board.memoryBytes)!;
    return new DataView(ram.buffer, ram.byteOffset, ram.length);
  }

  /** The physical address of a page; -1 where it is not mapped. */
  private translate(hart: Hart, page: number): number {
    const root = rootTableOf(hart);
    if (root === undefined) return page;
    const ram = (this.ram ??= this.viewOfRam());
    let table = root;
    for (let level = LEVELS - 1; level >= 0; level--) {
      const span = SPANS[level];
      const at = table - RAM_BASE + ((page / span) & (ENTRIES_PER_TABLE - 1)) * PTE_BYTES;
      if (at < 0 || at + PTE_BYTES > ram.byteLength) return -1;
      const low = ram.getUint32(at, true);
      if ((low & VALID) === 0) return -1;
      const frame = ((low >>> 10) + (ram.getUint32(at + 4, true) % 2 ** 22) * 2 ** 22) * PAGE_BYTES;
      if (low & LEAF) return frame + (page % span);
      table = frame;
    }
    return -1;
  }
}

/** Whether a caller's frame pointer can be `caller` where its callee's is `frame`. */
const isNextFrame = (caller: number, frame: number): boolean =>
  caller > frame && caller - frame <= MAXIMUM_FRAME_BYTES;
