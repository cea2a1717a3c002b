/**
 * Physical memory protection: 16 entries (privileged specification, section "Physical Memory Protection").
 *
 * The specification denies supervisor and user mode everything while no entry matches. Kernels of before 2022
 * never set one up and ran on machines that let them; so here protection begins with the first entry that is
 * switched on.
 */
import type { Access } from '../sv39/walk.js';
import { PMP_ENTRIES, PMPADDR_SLOT, Slot } from './csr/bits.js';
import { Mode } from './trap.js';

const PMP_READ = 1;
const PMP_WRITE = 2;
const PMP_EXECUTE = 4;
const PMP_MATCHING = 3 << 3;
const PMP_LOCKED = 1 << 7;

const PMP_ALL = PMP_READ | PMP_WRITE | PMP_EXECUTE;

/** What entries can reach: pmpaddr holds bits 55:2 of an address. */
const PHYSICAL_END = 2 ** 56 - 4;

const OFF = 0;
const TOR = 1;
const NA4 = 2;

/** Bits of an entry that can be set; bits 5 and 6 read 0. */
export const PMP_CONFIG_BITS = PMP_READ | PMP_WRITE | PMP_EXECUTE | PMP_MATCHING | PMP_LOCKED;

const PERMISSION: Readonly<Record<Access, number>> = {
  read: PMP_READ,
  write: PMP_WRITE,
  execute: PMP_EXECUTE,
};

interface Entry {
  /** Half-open range of physical addresses. */
  readonly start: number;
  readonly end: number;
  readonly config: number;
}

export class Pmp {
  private entries: readonly Entry[] = [];
  /** The setting in force in a canonical form, so that TLB contexts can tell settings apart. */
  setting = '';
  /** True while nothing is denied to anyone, as when the first entry permits everything everywhere. */
  allowsEverything = true;

  constructor(private readonly csr: BigInt64Array) {}

  /** The configuration byte of an entry. */
  config(entry: number): number {
    const word = this.csr[entry < 8 ? Slot.pmpcfg0 : Slot.pmpcfg2];
    return Number((word >> BigInt((entry % 8) * 8)) & 0xffn);
  }

  isLocked(entry: number): boolean {
    return (this.config(entry) & PMP_LOCKED) !== 0;
  }

  /** An address register is locked with its own entry, and with the next where that makes a range from it. */
  isAddressLocked(entry: number): boolean {
    if (this.isLocked(entry)) return true;
    const next = entry + 1;
    return next < PMP_ENTRIES && this.isLocked(next) && (this.config(next) & PMP_MATCHING) >> 3 === TOR;
  }

  /** Decodes the registers. To be called after any of them has changed. */
  update(): void {
    const entries: Entry[] = [];
    let previous = 0;
    for (let i = 0; i < PMP_ENTRIES; i++) {
      const config = this.config(i);
      const address = this.csr[PMPADDR_SLOT + i];
      const matching = (config & PMP_MATCHING) >> 3;
      const top = Number(address) * 4;
      if (matching === TOR) entries.push({ start: previous, end: top, config });
      else if (matching === NA4) entries.push({ start: top, end: top + 4, config });
      else if (matching !== OFF) {
        // NAPOT: n trailing ones stand for a range of 2^(n+3) bytes.
        const ones = address ^ (address + 1n);
        const start = Number(address & ~ones) * 4;
        entries.push({ start, end: start + Number(ones + 1n) * 4, config });
      }
      previous = top;
    }
    this.entries = entries;
    const [first] = entries;
    this.allowsEverything =
      first === undefined ||
      (first.start === 0 && first.end >= PHYSICAL_END && (first.config & PMP_ALL) === PMP_ALL);
    this.setting = entries.map(({ start, end, config }) => `${start}-${end}:${config}`).join();
  }

  /** Whether an access to `bytes` bytes at a physical address is allowed in a mode. */
  allows(physical: number, bytes: number, access: Access, mode: number): boolean {
    if (this.entries.length === 0) return true;
    const end = physical + bytes;
    for (const entry of this.entries) {
      // A range whose top is not above its bottom is empty.
      const isOutside = end <= entry.start || entry.end <= physical || entry.end <= entry.start;
      if (isOutside) continue;
      // The lowest-numbered entry that matches any byte decides, and must match all of them.
      if (physical < entry.start || end > entry.end) return false;
      if (mode === Mode.Machine && (entry.config & PMP_LOCKED) === 0) return true;
      return (entry.config & PERMISSION[access]) !== 0;
    }
    return mode === Mode.Machine;
  }
}
