/**
 * Loads, stores, atomics and fetches of one hart: the fast way through the TLB, and the full way through
 * translation (Sv39), protection (PMP) and the bus.
 *
 * A 64-bit address is handled as two 32-bit halves on the fast way, as a bigint on the full one; a physical
 * address, having at most 56 bits, is a number.
 */
import { type Access, walk, type Regime, type TableMemory } from '../sv39/walk.js';
import { ADDEND, entryOf, Tag } from '../sv39/tlb.js';
import type { Bus } from './bus.js';
import {
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
import { Cause, Mode, Trap } from './trap.js';

const FAULTS: Readonly<Record<Access, { access: number; page: number }>> = {
  read: { access: Cause.LoadAccess, page: Cause.LoadPage },
  write: { access: Cause.StoreAccess, page: Cause.StorePage },
  execute: { access: Cause.FetchAccess, page: Cause.FetchPage },
};

/** Physical addresses have 56 bits. */
const PHYSICAL_END = 1n << 56n;
const PAGE_OFFSET = 0xfff;

const DATA_TLB = Offset.dataTlb >>> 2;
const FETCH_TLB = Offset.fetchTlb >>> 2;
const RESERVATION = Offset.reservation >>> 2;
const MODE = Offset.mode >>> 2;

export class MemoryAccess {
  /** x0 to x31; x0 is set back to 0 after every instruction. */
  readonly x: BigInt64Array;
  /** The hart's block as 32-bit words. */
  readonly words: Int32Array;
  /** The CSRs that are storage, by slot. */
  readonly csr: BigInt64Array;
  readonly pmp: Pmp;

  /** Loads and stores so far that went to a device. */
  deviceAccesses = 0;

  /** High word of the address that `addressLow` computed last. */
  private high = 0;
  private readonly tableMemory: TableMemory;
  private regimeRoot = 0;

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
    this.tableMemory = {
      readPte: (physical) =>
        this.isRam(physical, 8) && this.pmp.allows(physical, 8, 'read', Mode.Supervisor)
          ? state.view.getBigUint64(this.hostOf(physical), true)
          : undefined,
      writePte: (physical, pte) => {
        if (!this.pmp.allows(physical, 8, 'write', Mode.Supervisor)) return false;
        // Only A and D change, and those are never derived from; so nothing needs announcing.
        state.view.setBigUint64(this.hostOf(physical), pte, true);
        return true;
      },
      visitTable: (ppn, level, base) => {
        const physical = ppn * 4096;
        if (this.isRam(physical, 4096)) {
          frames.noteTable(this.frameOf(physical), this.regimeRoot, level, Number(base));
        }
      },
    };
  }

  get mode(): number {
    return this.words[MODE];
  }

  /** The low word of a register. */
  low(register: number): number {
    return this.words[register << 1];
  }

  // ---- the fast way -------------------------------------------------------------------------------------

  /** Low word of register `base` plus `offset`; leaves the high word in `high`. */
  private addressLow(base: number, offset: number): number {
    const before = this.words[base << 1];
    const low = (before + offset) | 0;
    const carry = low >>> 0 < before >>> 0 ? 1 : 0;
    this.high = (this.words[(base << 1) + 1] + (offset >> 31) + carry) | 0;
    return low;
  }

  /** Offset in the memory of `bytes` bytes at the address, or 0 when the TLB does not know them. */
  private lookUp(context: number, tag: Tag, low: number, bytes: number): number {
    const entries = this.state.words;
    const entry = (this.words[context] >>> 2) + entryOf(low);
    if (
      entries[entry + tag] === (low & ~PAGE_OFFSET) &&
      entries[entry + tag + 1] === this.high &&
      (low & PAGE_OFFSET) <= 4096 - bytes
    ) {
      return (low + entries[entry + ADDEND]) >>> 0;
    }
    return 0;
  }

  /** Loads an unsigned byte from register `base` plus `offset`. All loads and stores throw Trap. */
  load8(base: number, offset: number): number {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.read, low, 1);
    return host !== 0 ? this.state.view.getUint8(host) : Number(this.loadSlow(low, 1));
  }

  load16(base: number, offset: number): number {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.read, low, 2);
    return host !== 0 ? this.state.view.getUint16(host, true) : Number(this.loadSlow(low, 2));
  }

  /** Loads a signed word. */
  load32(base: number, offset: number): number {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.read, low, 4);
    return host !== 0 ? this.state.view.getInt32(host, true) : Number(this.loadSlow(low, 4)) | 0;
  }

  load64(base: number, offset: number): bigint {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.read, low, 8);
    return host !== 0 ? this.state.view.getBigInt64(host, true) : this.loadSlow(low, 8);
  }

  store8(base: number, offset: number, value: number): void {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.write, low, 1);
    if (host !== 0) this.state.view.setInt8(host, value);
    else this.storeSlow(low, 1, BigInt(value));
  }

  store16(base: number, offset: number, value: number): void {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.write, low, 2);
    if (host !== 0) this.state.view.setInt16(host, value, true);
    else this.storeSlow(low, 2, BigInt(value));
  }

  store32(base: number, offset: number, value: number): void {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.write, low, 4);
    if (host !== 0) this.state.view.setInt32(host, value, true);
    else this.storeSlow(low, 4, BigInt(value));
  }

  store64(base: number, offset: number, value: bigint): void {
    const low = this.addressLow(base, offset);
    const host = this.lookUp(DATA_TLB, Tag.write, low, 8);
    if (host !== 0) this.state.view.setBigInt64(host, value, true);
    else this.storeSlow(low, 8, value);
  }

  // ---- atomics ------------------------------------------------------------------------------------------

  /**
   * Offset in the memory of `bytes` aligned bytes that the address in a register may be loaded from and stored
   * to. Throws Trap with the store causes, as AMOs do.
   */
  atomicAddress(base: number, bytes: number): number {
    const low = this.addressLow(base, 0);
    if (low & (bytes - 1)) throw new Trap(Cause.StoreMisaligned, this.address(low));
    return this.lookUp(DATA_TLB, Tag.write, low, bytes) || this.ramFor(low, 'write', bytes);
  }

  /** Reserves the aligned bytes at the address in a register, for lr; returns their offset in the memory. */
  reserve(base: number, bytes: number): number {
    const low = this.addressLow(base, 0);
    if (low & (bytes - 1)) throw new Trap(Cause.LoadMisaligned, this.address(low));
    const host = this.lookUp(DATA_TLB, Tag.read, low, bytes) || this.ramFor(low, 'read', bytes);
    this.words[RESERVATION] = host;
    return host;
  }

  /** Gives up the reservation; true when it was for this offset. */
  takeReservation(host: number): boolean {
    // Offsets from 2 GiB on are negative in a 32-bit word.
    const reserved = this.words[RESERVATION] === (host | 0);
    this.words[RESERVATION] = 0;
    return reserved;
  }

  /** Like a load or store of aligned bytes, but only RAM will do: devices have no atomics. */
  private ramFor(low: number, access: 'read' | 'write', bytes: number): number {
    const virtual = this.address(low);
    const physical = this.translate(virtual, access, bytes);
    if (!this.isRam(physical, bytes)) throw new Trap(FAULTS[access].access, virtual);
    if (access === 'write') this.beforeStore(low, physical, bytes);
    else this.remember(low, physical, access);
    return this.hostOf(physical);
  }

  // ---- the full way -------------------------------------------------------------------------------------

  private address(low: number): bigint {
    return (BigInt(this.high) << 32n) | BigInt(low >>> 0);
  }

  private loadSlow(low: number, bytes: number): bigint {
    const virtual = this.address(low);
    if ((low & PAGE_OFFSET) + bytes > 4096) return this.loadAcrossPages(virtual, bytes);
    const physical = this.translate(virtual, 'read', bytes);
    if (!this.isRam(physical, bytes)) {
      this.deviceAccesses++;
      const value = this.bus.load(physical, bytes);
      if (value === undefined) throw new Trap(Cause.LoadAccess, virtual);
      return value;
    }
    this.remember(low, physical, 'read');
    return this.peek(physical, bytes);
  }

  private storeSlow(low: number, bytes: number, value: bigint): void {
    const virtual = this.address(low);
    if ((low & PAGE_OFFSET) + bytes > 4096) return this.storeAcrossPages(virtual, bytes, value);
    const physical = this.translate(virtual, 'write', bytes);
    if (!this.isRam(physical, bytes)) {
      this.deviceAccesses++;
      const stored = this.bus.store(physical, bytes, BigInt.asUintN(bytes * 8, value));
      if (!stored) throw new Trap(Cause.StoreAccess, virtual);
      return;
    }
    this.beforeStore(low, physical, bytes);
    this.poke(physical, bytes, value);
  }

  /** Announces a store, or sees to it that the next one to this page need not be. */
  private beforeStore(low: number, physical: number, bytes: number): void {
    if (this.frames.isPlain(this.frameOf(physical))) this.remember(low, physical, 'write');
    // Not both: the store may be about to change the very table that translated it.
    else this.frames.beforeStore(physical - this.bus.ramBase, bytes);
  }

  /** A misaligned access over two pages: both must translate before a byte moves. */
  private halves(virtual: bigint, bytes: number, access: 'read' | 'write') {
    const second = ((virtual >> 12n) + 1n) << 12n;
    const firstBytes = Number(second - virtual);
    const parts = [
      { virtual, bytes: firstBytes },
      { virtual: BigInt.asIntN(64, second), bytes: bytes - firstBytes },
    ].map((part) => ({ ...part, physical: this.translate(part.virtual, access, part.bytes) }));
    for (const part of parts) {
      if (!this.isRam(part.physical, part.bytes)) throw new Trap(FAULTS[access].access, part.virtual);
    }
    return parts;
  }

  private loadAcrossPages(virtual: bigint, bytes: number): bigint {
    let value = 0n;
    let shift = 0n;
    for (const part of this.halves(virtual, bytes, 'read')) {
      for (let i = 0; i < part.bytes; i++, shift += 8n) value |= this.peek(part.physical + i, 1) << shift;
    }
    return value;
  }

  private storeAcrossPages(virtual: bigint, bytes: number, value: bigint): void {
    for (const part of this.halves(virtual, bytes, 'write')) {
      this.frames.beforeStore(part.physical - this.bus.ramBase, part.bytes);
      for (let i = 0; i < part.bytes; i++, value >>= 8n) this.poke(part.physical + i, 1, value);
    }
  }

  /** Sixteen bits of code at a virtual address. */
  protected fetch16(virtual: bigint): number {
    this.high = Number(BigInt.asIntN(32, virtual >> 32n));
    const known = this.lookUp(FETCH_TLB, Tag.fetch, Number(BigInt.asIntN(32, virtual)), 2);
    if (known !== 0) return this.state.view.getUint16(known, true);
    const physical = this.translate(virtual, 'execute', 2);
    if (!this.isRam(physical, 2)) throw new Trap(Cause.FetchAccess, virtual);
    return this.state.view.getUint16(this.hostOf(physical), true);
  }

  /**
   * Frame of the page of code at the address `high`:`low`, or -1 where not all of the page may be executed alike.
   * Throws Trap.
   */
  protected fetchFrame(low: number, high: number): number {
    const entries = this.state.words;
    const entry = (this.words[FETCH_TLB] >>> 2) + entryOf(low);
    this.high = high;
    const host = this.lookUp(FETCH_TLB, Tag.fetch, low & ~1, 2);
    if (host !== 0) return (host - RAM_START) >>> 12;
    const virtual = this.address(low);
    const physical = this.translate(virtual, 'execute', 2);
    if (!this.isRam(physical, 2)) throw new Trap(Cause.FetchAccess, virtual);
    this.remember(low, physical, 'execute');
    return entries[entry + Tag.fetch] === (low & ~PAGE_OFFSET) ? this.frameOf(physical) : -1;
  }

  /** Physical address of `bytes` bytes (within one page) at a virtual one. Throws Trap. */
  private translate(virtual: bigint, access: Access, bytes: number): number {
    const mode = access === 'execute' ? this.mode : this.dataMode;
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
    const result = walk(virtual, access, regime, this.tableMemory);
    if (!result.ok) throw new Trap(FAULTS[access][result.fault], virtual);
    return result.physical;
  }

  /** Keeps a translation in the TLB where one entry can stand for the whole page. */
  private remember(low: number, physical: number, access: Access): void {
    const frame = this.frameOf(physical);
    const mode = access === 'execute' ? this.mode : this.dataMode;
    if (!this.pmp.allows(physical - (physical % 4096), 4096, access, mode)) return;
    const tag = access === 'read' ? Tag.read : access === 'write' ? Tag.write : Tag.fetch;
    const context = this.words[access === 'execute' ? FETCH_TLB : DATA_TLB];
    this.frames.tlb.fill(context, low, this.high, tag, this.hostOf(physical), frame);
  }

  // ---- regimes ------------------------------------------------------------------------------------------

  /** The privilege that loads and stores have: that of mstatus.MPP while MPRV is set. */
  protected get dataMode(): number {
    const status = this.csr[Slot.mstatus];
    if ((status & MSTATUS_MPRV) === 0n) return this.mode;
    return Number((status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT);
  }

  private isTranslated(mode: number): boolean {
    return mode !== Mode.Machine && BigInt.asUintN(64, this.csr[Slot.satp]) >> 60n === SATP_MODE_SV39;
  }

  private regime(mode: number): Regime {
    const status = this.csr[Slot.mstatus];
    return {
      root: Number(this.csr[Slot.satp] & 0xfff_ffff_ffffn),
      user: mode === Mode.User,
      sum: (status & MSTATUS_SUM) !== 0n,
      mxr: (status & MSTATUS_MXR) !== 0n,
    };
  }

  /** Chooses the TLB contexts. To be called after anything that a translation depends on has changed. */
  updateContexts(): void {
    this.words[FETCH_TLB] = this.contextFor(this.mode);
    this.words[DATA_TLB] = this.contextFor(this.dataMode);
  }

  private contextFor(mode: number): number {
    const { tlb } = this.frames;
    if (!this.isTranslated(mode)) return tlb.context(0n, mode, this.pmp.setting, 0);
    const { root, user, sum, mxr } = this.regime(mode);
    const variant = (user ? 1 : 0) + (sum ? 2 : 0) + (mxr ? 4 : 0);
    return tlb.context(this.csr[Slot.satp], variant, this.pmp.setting, root);
  }

  // ---- RAM ----------------------------------------------------------------------------------------------

  private isRam(physical: number, bytes: number): boolean {
    const offset = physical - this.bus.ramBase;
    return offset >= 0 && offset + bytes <= this.state.ramBytes;
  }

  private hostOf(physical: number): number {
    return physical - this.bus.ramBase + RAM_START;
  }

  private frameOf(physical: number): number {
    return Math.floor((physical - this.bus.ramBase) / 4096);
  }

  private peek(physical: number, bytes: number): bigint {
    const { view } = this.state;
    const at = this.hostOf(physical);
    if (bytes === 1) return BigInt(view.getUint8(at));
    if (bytes === 2) return BigInt(view.getUint16(at, true));
    if (bytes === 4) return BigInt(view.getUint32(at, true));
    return view.getBigUint64(at, true);
  }

  private poke(physical: number, bytes: number, value: bigint): void {
    const { view } = this.state;
    const at = this.hostOf(physical);
    const low = Number(BigInt.asUintN(32, value));
    if (bytes === 1) view.setUint8(at, low);
    else if (bytes === 2) view.setUint16(at, low, true);
    else if (bytes === 4) view.setUint32(at, low, true);
    else view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }
}
