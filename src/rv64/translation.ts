/**
 * Address translation of one hart: the regime in force (mode, satp, mstatus, PMP), the TLB contexts that belong to it,
 * and the full way from a virtual address to a physical one, which is the specification's walk and decides. For the quick
 * one see quick-translation.ts.
 */
import { PAGE_BYTES, PTE_BYTES } from '../sv39/pte.js';
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
export const DATA_TLB = Offset.dataTlb >>> 2;
const FETCH_TLB = Offset.fetchTlb >>> 2;
const STATUS = lowWordOf(Slot.mstatus);
const SATP = lowWordOf(Slot.satp);
/** satp.PPN has 44 bits; 12 of them are in the high word. */
const HIGH_PPN_MASK = 2 ** 12 - 1;

/** Variants of a regime, for the TLB: in the lowest two bits the mode. */
const TRANSLATED = 4;
const SUM = 8;
const MXR = 16;

export const TAGS: Readonly<Record<Access, Tag>> = { read: Tag.read, write: Tag.write, execute: Tag.fetch };

export class Translation {
  /** x0 to x31; x0 is set back to 0 after every instruction. */
  readonly x: BigInt64Array;
  /** The hart's block as 32-bit words. */
  readonly words: Int32Array;
  /** The CSRs that are storage, by slot. */
  readonly csr: BigInt64Array;
  readonly pmp: Pmp;

  /** Walks by the specification's steps so far. */
  fullWalks = 0;

  /** Keeps old translations; without it none is ever old. Set by `beStrict`. */
  strict: Strict | undefined;
  /** Contexts of the TLB that strict mode has to empty, for they were filled since it last did. */
  private readonly filled = new Set<number>();
  /** False where the last walk went by an entry that may not be in force any more. */
  private isPresent = true;

  private readonly tableMemory: TableMemory;
  private contexts: Contexts;
  private regimeRoot = 0;
  /** Physical page number of the root table in force. */
  protected root = 0;

  constructor(
    readonly index: number,
    readonly state: State,
    readonly frames: Frames,
    protected readonly bus: Bus,
  ) {
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

  protected modeOf(access: Access): number {
    return access === 'execute' ? this.mode : this.dataMode;
  }

  protected isTranslated(mode: number): boolean {
    return mode !== Mode.Machine && this.words[SATP + 1] >>> 28 === SATP_MODE_SV39;
  }

  private rootInForce(): number {
    const high = this.words[SATP + 1] & HIGH_PPN_MASK;
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

  protected fill(low: number, high: number, frame: number, access: Access): void {
    const context = this.words[access === 'execute' ? FETCH_TLB : DATA_TLB];
    if (this.strict) this.filled.add(context);
    this.frames.firstFills.settle(frame);
    if (access === 'write') this.frames.beforePlainStores(frame);
    this.frames.tlb.fill(context, low, high, TAGS[access], RAM_START + frame * PAGE_BYTES, frame);
    if (access === 'execute') this.frames.onFetch?.((high >>> 0) * 2 ** 20 + (low >>> 12), frame);
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
