/**
 * Backtraces through frame pointers, as a compiler lays them out under -fno-omit-frame-pointer (RISC-V psABI, "Frame
 * Pointer Convention"): s0 holds the frame's upper end, with the return address and the caller's s0 just below it.
 * They are taken often, so everything here is a plain number, and memory is read from one view.
 */
import type { Machine } from '../machine/machine.js';
import { RAM_BASE } from '../machine/memory-map.js';
import { Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import { LEVELS, PAGE_BYTES, PTE_BYTES } from '../sv39/pte.js';

const FRAME_POINTER = 8;
const RETURN_ADDRESS = 1;
const MAXIMUM_DEPTH = 16;

/** A kernel stack is a page or two; a frame pointer further away belongs to no frame of it. */
const MAXIMUM_FRAME_BYTES = 4 * PAGE_BYTES;

/** Bits of a PTE's low word: V, and R, W, X, any of which makes a leaf. */
const VALID = 1;
const LEAF = 0xe;

export class Backtracer {
  private readonly ram: DataView;
  /** The page of virtual memory that was read last in this backtrace, and where it lies; -1 for nowhere. */
  private page = -1;
  private frameOffset = -1;

  constructor(machine: Machine) {
    const ram = machine.readMemory(BigInt(RAM_BASE), machine.board.memoryBytes)!;
    this.ram = new DataView(ram.buffer, ram.byteOffset, ram.length);
  }

  /**
   * The pc, then return addresses from the innermost call outwards. At a function's first instruction its frame does
   * not stand yet: say so with `atEntry`.
   */
  of(hart: Hart, atEntry: boolean): number[] {
    this.page = -1;
    const addresses = [unsigned(hart.pc)];
    if (atEntry) addresses.push(unsigned(hart.x[RETURN_ADDRESS]));
    let frame = unsigned(hart.x[FRAME_POINTER]);
    // A function that calls none may keep its return address in ra, and save s0 only.
    const saved = atEntry ? 0 : this.word(hart, frame - 8);
    if (isNextFrame(saved, frame)) {
      addresses.push(unsigned(hart.x[RETURN_ADDRESS]));
      frame = saved;
    }
    while (addresses.length < MAXIMUM_DEPTH) {
      const returnAddress = this.word(hart, frame - 8);
      if (returnAddress === 0) break;
      addresses.push(returnAddress);
      const caller = this.word(hart, frame - 16);
      if (!isNextFrame(caller, frame)) break;
      frame = caller;
    }
    return addresses;
  }

  /** The doubleword at a virtual address, as the hart's present table translates it; 0 where there is none. */
  private word(hart: Hart, address: number): number {
    const offset = address % PAGE_BYTES;
    if (address < 0 || address % 8 !== 0) return 0;
    if (address - offset !== this.page) {
      this.page = address - offset;
      this.frameOffset = this.translate(hart, this.page) - RAM_BASE;
    }
    const at = this.frameOffset + offset;
    if (at < 0 || at + 8 > this.ram.byteLength) return 0;
    return this.ram.getUint32(at, true) + this.ram.getUint32(at + 4, true) * 2 ** 32;
  }

  /** The physical address of a page; -1 where it is not mapped. */
  private translate(hart: Hart, page: number): number {
    const satp = BigInt.asUintN(64, hart.csr[Slot.satp]);
    if (satp >> 60n === 0n) return page;
    let table = Number(satp & 0xfff_ffff_ffffn) * PAGE_BYTES;
    for (let level = LEVELS - 1; level >= 0; level--) {
      const span = PAGE_BYTES * 512 ** level;
      const at = table - RAM_BASE + (Math.floor(page / span) % 512) * PTE_BYTES;
      if (at < 0 || at + PTE_BYTES > this.ram.byteLength) return -1;
      const low = this.ram.getUint32(at, true);
      if ((low & VALID) === 0) return -1;
      const frame = ((low >>> 10) + (this.ram.getUint32(at + 4, true) % 2 ** 22) * 2 ** 22) * PAGE_BYTES;
      if (low & LEAF) return frame + (page % span);
      table = frame;
    }
    return -1;
  }
}

/** Whether a caller's frame pointer can be `caller` where its callee's is `frame`. */
const isNextFrame = (caller: number, frame: number): boolean =>
  caller > frame && caller - frame <= MAXIMUM_FRAME_BYTES;

const unsigned = (value: bigint): number => Number(BigInt.asUintN(64, value));
