/**
 * Address translation of one hart: the regime in force (mode, satp, mstatus, PMP), the TLB contexts that belong to it,
 * and the ways from a virtual address to a physical one.
 *
 * There are two. The quick way fills the TLB in 32-bit arithmetic and gives up on everything out of the ordinary; it
 * never traps. The full way is the specification's walk, and decides.
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
import { type Contexts, Tag } from '../sv39/tlb.js';
import { type Access, type Regime, type TableMemory, walk, type Walk } from '../sv39/walk.js';
import type { Bus } from './bus.js';
import {
  lowWordOf,
  MSTATUS_MPP,
  MSTATUS_MPP_SHIFT,
  MSTATUS_MPRV,
  MSTATUS_MXR,
  MSTATUS_SUM,
  SATP_MODE_SV39,
  Slot,
} from './csr/bits.js';
import type { Frames } from './frames.js';
import { Pmp } from './pmp.js';
import { HART_BYTES, Offset, RAM_START, type State } from './state.js';
import type { Strict } from './strict-mode.js';
import { Cause, Mode, Trap } from './trap.js';

export const FAULTS: Readonly<Record<Access, { access: number; page: number }>> = {
  read: { access: Cause.LoadAccess, page: Cause.LoadPage },
  write: { access: Cause.StoreAccess, page: Cause.StorePage },
  execute: { access: Cause.FetchAccess, page: Cause.FetchPage },
};

/** Physical addresses have 56 bits. */
const PHYSICAL_END = 1n << 56n;
export const PAGE_OFFSET = PAGE_BYTES - 1;

const MODE = Offset.mode >>> 2;
const DATA_TLB = Offset.dataTlb >>> 2;
const FETCH_TLB = Offset.fetchTlb >>> 2;
const STATUS = lowWordOf(Slot.mstatus);
const SATP = lowWordOf(Slot.satp);
/** satp.PPN has 44 bits; 12 of them are in the high word. */
const HIGH_PPN_BITS = 12;

/** Variants of a regime, for the TLB: in the lowest two bits the mode. */
const TRANSLATED = 4;
const SUM = 8;
const MXR = 16;

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

export const TAGS: Readonly<Record<Access, Tag>> = { read: Tag.read, write: Tag.write, execute: Tag.fetch };

export class Translation {
  /** x0 to x31; x0 is set back to 0 after every instruction. */
  readonly x: BigInt64Array;
  /** The hart's block as 32-bit words. */
  readonly words: Int32Array;
  /** The CSRs that are storage, by slot. */
  readonly csr: BigInt64Array;
  readonly pmp: Pmp;

  /** Misses of the TLB that were filled the quick way, and walks by the specification's steps, so far. */
  quickFills = 0;
  fullWalks = 0;

  /** Keeps old translations; without it none is ever old. Set by `beStrict`. */
  strict: Strict | undefined;
  /** Contexts of the TLB that strict mode has to empty, for they were filled since it last did. */
  private readonly filled = new Set<number>();
  /** False where the last walk went by an entry that may not be in force any more. */
  private isPresent = true;

  /** The frame where `quickly` gave up last, for the access must be announced; -1 where that was for another reason. */
  private announced = -1;
  /** Low word of the virtual page of the last store of which that was so: the next one there is likely to be another. */
  private announcedPage = -1;

  private readonly tableMemory: TableMemory;
  private contexts: Contexts;
  private regimeRoot = 0;
  /** Number of RAM's first page. */
  private readonly ramPage: number;
  /** Physical page number of the root table in force. */
  private root = 0;

  constructor(
    readonly index: number,
    readonly state: State,
    readonly frames: Frames,
    protected readonly bus: Bus,
  ) {
    this.ramPage = (bus.ramBase / PAGE_BYTES) | 0;
    const { buffer } = state.memory;
    const block = index * HART_BYTES;
    this.x = new BigInt64Array(buffer, block, 32);
    this.words = new Int32Array(buffer, block, HART_BYTES / 4);
    this.csr = new BigInt64Array(buffer, block + Offset.csr, (HART_BYTES - Offset.csr) / 8);
    this.pmp = new Pmp(this.csr);
    this.contexts = frames.tlb.contextsFor(this.pmp.setting);
    this.tableMemory = {
      readPte: (physical) =>
        this.isRam(physical, PTE_BYTES) && this.pmp.allows(physical, PTE_BYTES, 'read', Mode.Supervisor)
          ? state.view.getBigUint64(this.hostOf(physical), true)
          : undefined,
      writePte: (physical, pte) => {
        if (!this.pmp.allows(physical, PTE_BYTES, 'write', Mode.Supervisor)) return false;
        // Only A and D change, and those are never derived from; so nothing else needs announcing.
        frames.touch(this.frameOf(physical));
        state.view.setBigUint64(this.hostOf(physical), pte, true);
        return true;
      },
      visitTable: (ppn, level, base) => {
        const physical = ppn * PAGE_BYTES;
        if (this.isRam(physical, PAGE_BYTES)) {
          frames.noteTable(this.frameOf(physical), this.regimeRoot, level, Number(base));
        }
      },
    };
  }

  get mode(): number {
    return this.words[MODE];
  }

  /** Changes the privilege mode, as no instruction can. Between instructions only. */
  changeMode(mode: number): void {
    this.words[MODE] = mode;
    this.updateContexts();
  }

  mstatusHas(bit: number): boolean {
    return (this.words[STATUS] & bit) !== 0;
  }

  // ---- regimes ------------------------------------------------------------------------------------------

  /** The privilege that loads and stores have: that of mstatus.MPP while MPRV is set. */
  protected get dataMode(): number {
    const status = this.words[STATUS];
    return (status & MSTATUS_MPRV) === 0 ? this.mode : (status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
  }

  private modeOf(access: Access): number {
    return access === 'execute' ? this.mode : this.dataMode;
  }

  private isTranslated(mode: number): boolean {
    return mode !== Mode.Machine && this.words[SATP + 1] >>> 28 === SATP_MODE_SV39;
  }

  private rootInForce(): number {
    const high = this.words[SATP + 1] & (2 ** HIGH_PPN_BITS - 1);
    const low = this.words[SATP];
    // V8 keeps small integers apart from other numbers, and every trap comes this way.
    return high === 0 && low >= 0 ? low : high * 2 ** 32 + (low >>> 0);
  }

  private regime(mode: number): Regime {
    return {
      root: this.root,
      user: mode === Mode.User,
      sum: this.mstatusHas(MSTATUS_SUM),
      mxr: this.mstatusHas(MSTATUS_MXR),
    };
  }

  /** To be called after the PMP registers have changed. */
  updateProtection(): void {
    this.pmp.update();
    const owner = this.strict ? ` of hart ${this.index}` : '';
    this.contexts = this.frames.tlb.contextsFor(this.pmp.setting + owner);
    this.updateContexts();
  }

  /** From now on this hart uses old translations: see StrictMode. Its TLB contexts become its own. */
  beStrict(strict: Strict): void {
    this.strict = strict;
    this.updateProtection();
  }

  /** Empties what the TLB has for this hart in strict mode, so that all of it is looked at anew. */
  forgetTranslations(): void {
    for (const context of this.filled) this.frames.tlb.flushContext(context);
    this.filled.clear();
  }

  /** Chooses the TLB contexts. To be called after anything else that a translation depends on has changed. */
  updateContexts(): void {
    const { mode, dataMode } = this;
    this.root = this.rootInForce();
    const forFetches = this.contextFor(mode);
    this.words[FETCH_TLB] = forFetches;
    this.words[DATA_TLB] = dataMode === mode ? forFetches : this.contextFor(dataMode);
  }

  private contextFor(mode: number): number {
    const { tlb } = this.frames;
    if (!this.isTranslated(mode)) return tlb.context(this.contexts, 0, mode);
    const sum = this.mstatusHas(MSTATUS_SUM) ? SUM : 0;
    const mxr = this.mstatusHas(MSTATUS_MXR) ? MXR : 0;
    return tlb.context(this.contexts, this.root, mode | TRANSLATED | sum | mxr);
  }

  // ---- the full way -------------------------------------------------------------------------------------

  /** Physical address of `bytes` bytes (within one page) at a virtual one. Throws Trap. */
  protected translate(virtual: bigint, access: Access, bytes: number): number {
    this.isPresent = true;
    const mode = this.modeOf(access);
    const physical = this.isTranslated(mode)
      ? this.walkFor(virtual, access, mode)
      : this.bare(virtual, access);
    if (!this.pmp.allows(physical, bytes, access, mode)) throw new Trap(FAULTS[access].access, virtual);
    return physical;
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

  private bare(virtual: bigint, access: Access): number {
    const physical = BigInt.asUintN(64, virtual);
    if (physical >= PHYSICAL_END) throw new Trap(FAULTS[access].access, virtual);
    return Number(physical);
  }

  private walkFor(virtual: bigint, access: Access, mode: number): number {
    const regime = this.regime(mode);
    this.regimeRoot = regime.root;
    this.fullWalks++;
    const result = this.strict
      ? this.walkStrictly(this.strict, virtual, access, regime)
      : walk(virtual, access, regime, this.tableMemory);
    if (!result.ok) throw new Trap(FAULTS[access][result.fault], virtual);
    return result.physical;
  }

  private walkStrictly(strict: Strict, virtual: bigint, access: Access, regime: Regime): Walk {
    const satp = this.csr[Slot.satp];
    const { result, isPresent } = strict.walk(this.index, virtual, access, regime, satp, this.tableMemory);
    this.isPresent = isPresent;
    return result;
  }

  /** Keeps a translation in the TLB where one entry can stand for the whole page. */
  protected remember(low: number, high: number, physical: number, access: Access): void {
    const page = physical - (physical % PAGE_BYTES);
    if (!this.isPresent || !this.pmp.allows(page, PAGE_BYTES, access, this.modeOf(access))) return;
    this.fill(low, high, this.frameOf(physical), access);
  }

  private fill(low: number, high: number, frame: number, access: Access): void {
    const context = this.words[access === 'execute' ? FETCH_TLB : DATA_TLB];
    if (this.strict) this.filled.add(context);
    this.frames.firstFills.settle(frame);
    this.frames.tlb.fill(context, low, high, TAGS[access], RAM_START + frame * PAGE_BYTES, frame);
    if (access === 'execute') this.frames.onFetch?.((high >>> 0) * 2 ** 20 + (low >>> 12), frame);
  }

  // ---- the quick way ------------------------------------------------------------------------------------

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

  // ---- RAM ----------------------------------------------------------------------------------------------

  protected isRam(physical: number, bytes: number): boolean {
    const offset = physical - this.bus.ramBase;
    return offset >= 0 && offset + bytes <= this.state.ramBytes;
  }

  /** Offset in the memory of RAM at a physical address. */
  protected hostOf(physical: number): number {
    this.frames.firstFills.settle(this.frameOf(physical));
    return physical - this.bus.ramBase + RAM_START;
  }

  protected frameOf(physical: number): number {
    return Math.floor((physical - this.bus.ramBase) / PAGE_BYTES);
  }
}

/** First virtual address that goes through the same table of a level, as a signed number. */
function baseOf(low: number, high: number, level: number): number {
  if (level === 2) return high < 0 ? -(2 ** 39) : 0;
  if (level === 1) return high * 2 ** 32 + ((low & 0xc000_0000) >>> 0);
  return high * 2 ** 32 + ((low & 0xffe0_0000) >>> 0);
}
