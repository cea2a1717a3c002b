/**
 * The quick way from a virtual address to RAM: it fills the TLB in 32-bit arithmetic, gives up on everything out of the
 * ordinary, and never traps.
 */
import {
  ENTRIES_PER_TABLE,
  LEVELS,
  PAGE_BYTES,
  PTE_A,
  PTE_BYTES,
  PTE_D,
  PTE_R,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
} from '../sv39/pte.js';
import { Tag } from '../sv39/tlb.js';
import type { Access } from '../sv39/walk.js';
import { MSTATUS_SUM } from './csr/bits.js';
import { RAM_START } from './state.js';
import { DATA_TLB, PAGE_OFFSET, Translation } from './translation.js';
import { Mode } from './trap.js';

/** The bits of an entry's low word that decide about it, and what they are in an ordinary pointer to a table. */
const FLAGS = Number(PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D);
const POINTER = Number(PTE_V);
/** The flags of an entry that grants an access, and those that the access sets. */
const GRANTS: Readonly<Record<Access, number>> = {
  read: Number(PTE_V | PTE_R),
  write: Number(PTE_V | PTE_R | PTE_W),
  execute: Number(PTE_V | PTE_X),
};
const SETS: Readonly<Record<Access, number>> = {
  read: Number(PTE_A),
  write: Number(PTE_A | PTE_D),
  execute: Number(PTE_A),
};
const USER = Number(PTE_U);
const READ = Number(PTE_R);
const WRITE = Number(PTE_W);
const PPN_SHIFT = 10;
/** Bits of an address's high word that are a part of a page number of 22 bits. */
const HIGH_PAGE_BITS = 2;

export class QuickTranslation extends Translation {
  /** Misses of the TLB that were filled this way so far. */
  quickFills = 0;

  /** The frame where `quickly` gave up last, for the access must be announced; -1 where that was for another reason. */
  private announced = -1;
  /** Low word of the virtual page of the last store of which that was so: the next one there is likely to be another. */
  private announcedPage = -1;
  /** Number of RAM's first page. */
  private readonly ramPage = (this.bus.ramBase / PAGE_BYTES) | 0;

  /**
   * Offset in the memory of `bytes` bytes at the address `high`:`low`, which the TLB does not know; from now on it
   * does, unless stores there are announced. 0 where that takes the full way: for a fault, a device, two pages, a store
   * that something depends on. In strict mode everything takes it.
   */
  quickly(low: number, high: number, access: Access, bytes: number): number {
    this.announced = -1;
    if ((low & PAGE_OFFSET) + bytes > PAGE_BYTES) return 0;
    const frame = this.frameQuickly(low, high, access);
    if (frame < 0) return 0;
    const offset = frame * PAGE_BYTES + (low & PAGE_OFFSET);
    const isQuiet = access !== 'write' || this.frames.isPlain(frame);
    if (isQuiet ? access === 'read' && this.frames.watchesLoads(frame) : this.frames.isNews(offset, bytes)) {
      this.announced = frame;
      if (access === 'write') this.announcedPage = low & ~PAGE_OFFSET;
      return 0;
    }
    if (this.announcedPage === (low & ~PAGE_OFFSET)) this.announcedPage = -1;
    if (isQuiet) {
      this.quickFills++;
      this.fill(low, high, frame, access);
    }
    return RAM_START + offset;
  }

  /**
   * Fills bytes within a page from the address `high`:`low` on, which the TLB does not know; false where that takes stores,
   * one by one.
   */
  fillQuickly(low: number, high: number, bytes: number, value: number): boolean {
    const frame = this.frameQuickly(low, high, 'write');
    if (frame < 0 || !this.frames.isPlain(frame)) return false;
    this.quickFills++;
    const { firstFills, tlb } = this.frames;
    const desk = (low & PAGE_OFFSET) === 0 ? firstFills.fill(frame, bytes, value) : 0;
    if (desk !== 0) tlb.fill(this.words[DATA_TLB], low, high, Tag.write, desk, frame);
    else {
      this.fill(low, high, frame, 'write');
      const start = frame * PAGE_BYTES + (low & PAGE_OFFSET);
      this.state.ram.fill(value, start, start + bytes);
    }
    return true;
  }

  /** Whether a store at an address is likely to be one that `quickly` gives up on. It is only sooner told then. */
  protected isLikelyAnnounced(low: number, access: Access): boolean {
    return access === 'write' && (low & ~PAGE_OFFSET) === this.announcedPage;
  }

  /** The frame that an address lies in, or -1 where finding out takes the full way. */
  private frameQuickly(low: number, high: number, access: Access): number {
    if (!this.pmp.allowsEverything || this.strict) return -1;
    const page = this.pageQuickly(low, high, access, this.modeOf(access));
    const frame = page - this.ramPage;
    return page < 0 || frame >= this.frames.count ? -1 : Math.max(frame, -1);
  }

  /** The physical page that an address lies in, or -1. */
  private pageQuickly(low: number, high: number, access: Access, mode: number): number {
    if (this.isTranslated(mode)) return this.walkQuickly(low, high, access, mode);
    return high >>> HIGH_PAGE_BITS === 0 ? (high << 20) | (low >>> 12) : -1;
  }

  /** The same for an address that is translated. Page numbers have 22 bits on this way. */
  private walkQuickly(low: number, high: number, access: Access, mode: number): number {
    // Bit 38 is bit 6 of the high word.
    const top = high >> 6;
    if (top !== 0 && top !== -1) return -1;
    const { words } = this.state;
    const { root, ramPage, frames } = this;
    let table = root;
    for (let level = LEVELS - 1; level >= 0; level--) {
      const frame = table - ramPage;
      if (frame < 0 || frame >= frames.count) return -1;
      const shift = 12 + 9 * level;
      const index = (level === 2 ? (high << 2) | (low >>> 30) : low >>> shift) & (ENTRIES_PER_TABLE - 1);
      const word = (RAM_START >>> 2) + frame * (PAGE_BYTES / 4) + index * (PTE_BYTES / 4);
      frames.noteTable(frame, root, level, baseOf(low, high, level));
      const pte = words[word];
      if (words[word + 1] !== 0) return -1;
      const page = pte >>> PPN_SHIFT;
      if ((pte & FLAGS) === POINTER) {
        table = page;
        continue;
      }
      const grants = GRANTS[access];
      const isReserved = (pte & (READ | WRITE)) === WRITE;
      const isGranted = (pte & grants) === grants && !isReserved && this.suits(pte, access, mode);
      const within = (1 << (9 * level)) - 1;
      if (!isGranted || (page & within) !== 0) return -1;
      if ((pte & SETS[access]) !== SETS[access]) {
        frames.touch(frame);
        words[word] = pte | SETS[access];
      }
      return page | ((low >>> 12) & within);
    }
    return -1;
  }

  /** Whether a leaf is for the mode that the access is made in. */
  private suits(pte: number, access: Access, mode: number): boolean {
    const isForUser = (pte & USER) !== 0;
    if (mode === Mode.User) return isForUser;
    return !isForUser || (access !== 'execute' && this.mstatusHas(MSTATUS_SUM));
  }

  /** The same for an address in halves that `quickly` has just given up on, without big integers in the ordinary case. */
  protected physicalOf(low: number, high: number, access: Access, bytes: number): number {
    if (this.announced >= 0) return (this.ramPage + this.announced) * PAGE_BYTES + (low & PAGE_OFFSET);
    if (this.pmp.allowsEverything && !this.strict && this.isTranslated(this.modeOf(access))) {
      const page = this.walkQuickly(low, high, access, this.modeOf(access));
      if (page >= 0) return page * PAGE_BYTES + (low & PAGE_OFFSET);
    }
    return this.translate((BigInt(high) << 32n) | BigInt(low >>> 0), access, bytes);
  }
}

/** First virtual address that goes through the same table of a level, as a signed number. */
function baseOf(low: number, high: number, level: number): number {
  if (level === 2) return high < 0 ? -(2 ** 39) : 0;
  if (level === 1) return high * 2 ** 32 + ((low & 0xc000_0000) >>> 0);
  return high * 2 ** 32 + ((low & 0xffe0_0000) >>> 0);
}
