/**
 * Backtraces through frame pointers, as a compiler lays them out under -fno-omit-frame-pointer (RISC-V psABI, "Frame
 * Pointer Convention"): s0 holds the frame's upper end, with the return address and the caller's s0 just below it.
 */
import type { Machine } from '../machine/machine.js';
import { Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import { isLeaf, LEVELS, PAGE_BYTES, PAGE_SHIFT, PTE_BYTES, PTE_V, ppnOf, vpnIndex } from '../sv39/pte.js';

const FRAME_POINTER = 8;
const RETURN_ADDRESS = 1;
const MAXIMUM_DEPTH = 16;

/** A kernel stack is a page or two; a frame pointer further away belongs to no frame of it. */
const MAXIMUM_FRAME_BYTES = 4 * PAGE_BYTES;

export class Backtracer {
  constructor(private readonly machine: Machine) {}

  /**
   * The pc, then return addresses from the innermost call outwards. At a function's first instruction its frame does
   * not stand yet: say so with `atEntry`.
   */
  of(hart: Hart, atEntry: boolean): number[] {
    const addresses = [unsigned(hart.pc)];
    if (atEntry) addresses.push(unsigned(hart.x[RETURN_ADDRESS]));
    let frame = BigInt.asUintN(64, hart.x[FRAME_POINTER]);
    // A function that calls none may keep its return address in ra, and save s0 only.
    const saved = atEntry ? undefined : this.word(hart, frame - 8n);
    if (saved !== undefined && isNextFrame(saved, frame)) {
      addresses.push(unsigned(hart.x[RETURN_ADDRESS]));
      frame = saved;
    }
    while (addresses.length < MAXIMUM_DEPTH) {
      const [returnAddress, caller] = [this.word(hart, frame - 8n), this.word(hart, frame - 16n)];
      if (!returnAddress || caller === undefined) break;
      addresses.push(Number(returnAddress));
      if (!isNextFrame(caller, frame)) break;
      frame = caller;
    }
    return addresses;
  }

  /** The doubleword at a virtual address, as the hart's present table translates it. */
  private word(hart: Hart, address: bigint): bigint | undefined {
    if (address % 8n !== 0n) return undefined;
    const physical = this.translate(hart, address);
    const bytes = physical === undefined ? undefined : this.machine.readMemory(physical, 8);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  private translate(hart: Hart, address: bigint): bigint | undefined {
    const satp = BigInt.asUintN(64, hart.csr[Slot.satp]);
    if (satp >> 60n === 0n) return address;
    let table = (satp & 0xfff_ffff_ffffn) << BigInt(PAGE_SHIFT);
    for (let level = LEVELS - 1; level >= 0; level--) {
      const bytes = this.machine.readMemory(table + BigInt(vpnIndex(address, level) * PTE_BYTES), PTE_BYTES);
      if (bytes === undefined) return undefined;
      const entry = new DataView(bytes.buffer, bytes.byteOffset, PTE_BYTES).getBigUint64(0, true);
      if ((entry & PTE_V) === 0n) return undefined;
      const base = ppnOf(entry) << BigInt(PAGE_SHIFT);
      if (isLeaf(entry)) return base + (address & ((1n << BigInt(PAGE_SHIFT + 9 * level)) - 1n));
      table = base;
    }
    return undefined;
  }
}

/** Whether a caller's frame pointer can be `caller` where its callee's is `frame`. */
const isNextFrame = (caller: bigint, frame: bigint): boolean =>
  caller > frame && caller - frame <= MAXIMUM_FRAME_BYTES;

const unsigned = (value: bigint): number => Number(BigInt.asUintN(64, value));
