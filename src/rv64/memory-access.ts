/**
 * Loads, stores, atomics and fetches of one hart: the fast way through the TLB, and the full way through
 * translation, protection and the bus.
 *
 * A 64-bit address is handled as two 32-bit halves on the fast way, as a bigint on the full one; a physical
 * address, having at most 56 bits, is a number.
 */
import { PAGE_BYTES } from '../sv39/pte.js';
import { ADDEND, entryOf, Tag } from '../sv39/tlb.js';
import { Offset, RAM_START } from './state.js';
import { QuickTranslation } from './quick-translation.js';
import { FAULTS, PAGE_OFFSET } from './translation.js';
import { Cause, Trap } from './trap.js';

const DATA_TLB = Offset.dataTlb >>> 2;
const FETCH_TLB = Offset.fetchTlb >>> 2;
const RESERVATION = Offset.reservation >>> 2;

export class MemoryAccess extends QuickTranslation {
  /** High word of the address that `addressLow` computed last. */
  private high = 0;

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

  /** Offset in the memory of `bytes` bytes at the address, or 0 where they can only be reached the full way. */
  private readable(low: number, bytes: number): number {
    return this.lookUp(DATA_TLB, Tag.read, low, bytes) || this.quickly(low, this.high, 'read', bytes);
  }

  private writable(low: number, bytes: number): number {
    return this.lookUp(DATA_TLB, Tag.write, low, bytes) || this.quickly(low, this.high, 'write', bytes);
  }

  private executable(low: number): number {
    return this.lookUp(FETCH_TLB, Tag.fetch, low, 2) || this.quickly(low, this.high, 'execute', 2);
  }

  /** The same, or 0 when the TLB does not know them. */
  private lookUp(context: number, tag: Tag, low: number, bytes: number): number {
    const entries = this.state.words;
    const entry = (this.words[context] >>> 2) + entryOf(low);
    if (
      entries[entry + tag] === (low & ~PAGE_OFFSET) &&
      entries[entry + tag + 1] === this.high &&
      (low & PAGE_OFFSET) <= PAGE_BYTES - bytes
    ) {
      return (low + entries[entry + ADDEND]) >>> 0;
    }
    return 0;
  }

  /** Loads an unsigned byte from register `base` plus `offset`. All loads and stores throw Trap. */
  load8(base: number, offset: number): number {
    const low = this.addressLow(base, offset);
    const host = this.readable(low, 1);
    return host !== 0 ? this.state.view.getUint8(host) : Number(this.loadSlow(low, 1));
  }

  load16(base: number, offset: number): number {
    const low = this.addressLow(base, offset);
    const host = this.readable(low, 2);
    return host !== 0 ? this.state.view.getUint16(host, true) : Number(this.loadSlow(low, 2));
  }

  /** Loads a signed word. */
  load32(base: number, offset: number): number {
    const low = this.addressLow(base, offset);
    const host = this.readable(low, 4);
    return host !== 0 ? this.state.view.getInt32(host, true) : Number(this.loadSlow(low, 4)) | 0;
  }

  load64(base: number, offset: number): bigint {
    const low = this.addressLow(base, offset);
    const host = this.readable(low, 8);
    return host !== 0 ? this.state.view.getBigInt64(host, true) : this.loadSlow(low, 8);
  }

  store8(base: number, offset: number, value: number): void {
    const low = this.addressLow(base, offset);
    const host = this.writable(low, 1);
    if (host !== 0) this.state.view.setInt8(host, value);
    else this.storeSlow(low, 1, BigInt(value));
  }

  store16(base: number, offset: number, value: number): void {
    const low = this.addressLow(base, offset);
    const host = this.writable(low, 2);
    if (host !== 0) this.state.view.setInt16(host, value, true);
    else this.storeSlow(low, 2, BigInt(value));
  }

  store32(base: number, offset: number, value: number): void {
    const low = this.addressLow(base, offset);
    const host = this.writable(low, 4);
    if (host !== 0) this.state.view.setInt32(host, value, true);
    else this.storeSlow(low, 4, BigInt(value));
  }

  store64(base: number, offset: number, value: bigint): void {
    const low = this.addressLow(base, offset);
    const host = this.writable(low, 8);
    if (host !== 0) this.state.view.setBigInt64(host, value, true);
    else this.storeSlow(low, 8, value);
  }

  /** Has the TLB take in an address for an access of so many bytes; false where it cannot. */
  refill(low: number, high: number, access: 'read' | 'write', bytes: number): boolean {
    if (this.isLikelyAnnounced(low, access) || this.quickly(low, high, access, bytes) === 0) return false;
    this.high = high;
    return this.lookUp(DATA_TLB, access === 'read' ? Tag.read : Tag.write, low, bytes) !== 0;
  }

  /** Offset in the memory of what lies at register `base` plus `offset`; 0 where loading it takes the full way. */
  plainLoad(base: number, offset: number): number {
    return this.readable(this.addressLow(base, offset), 1);
  }

  /** Offset in the memory of the instruction at `high`:`low`; 0 where fetching all of it takes the full way. */
  plainFetch(low: number, high: number): number {
    this.high = high;
    return (low & PAGE_OFFSET) <= PAGE_BYTES - 4 ? this.executable(low) : 0;
  }

  // ---- atomics ------------------------------------------------------------------------------------------

  /**
   * Offset in the memory of `bytes` aligned bytes that the address in a register may be loaded from and stored
   * to. Throws Trap with the store causes, as AMOs do.
   */
  atomicAddress(base: number, bytes: number): number {
    const low = this.addressLow(base, 0);
    if (low & (bytes - 1)) throw new Trap(Cause.StoreMisaligned, this.address(low));
    return this.writable(low, bytes) || this.ramFor(low, 'write', bytes);
  }

  /** Reserves the aligned bytes at the address in a register, for lr; returns their offset in the memory. */
  reserve(base: number, bytes: number): number {
    const low = this.addressLow(base, 0);
    if (low & (bytes - 1)) throw new Trap(Cause.LoadMisaligned, this.address(low));
    const host = this.readable(low, bytes) || this.ramFor(low, 'read', bytes);
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
    if (access === 'read' || this.frames.watchesLoads(this.frameOf(physical))) {
      this.beforeLoad(low, physical, bytes);
    }
    return this.hostOf(physical);
  }

  // ---- the full way -------------------------------------------------------------------------------------

  private address(low: number): bigint {
    return (BigInt(this.high) << 32n) | BigInt(low >>> 0);
  }

  private loadSlow(low: number, bytes: number): bigint {
    if ((low & PAGE_OFFSET) + bytes > PAGE_BYTES) return this.loadAcrossPages(this.address(low), bytes);
    const physical = this.physicalOf(low, this.high, 'read', bytes);
    if (!this.isRam(physical, bytes)) {
      const value = this.bus.load(physical, bytes);
      if (value === undefined) throw new Trap(Cause.LoadAccess, this.address(low));
      return value;
    }
    this.beforeLoad(low, physical, bytes);
    return this.peek(physical, bytes);
  }

  private storeSlow(low: number, bytes: number, value: bigint): void {
    if ((low & PAGE_OFFSET) + bytes > PAGE_BYTES)
      return this.storeAcrossPages(this.address(low), bytes, value);
    const physical = this.physicalOf(low, this.high, 'write', bytes);
    if (!this.isRam(physical, bytes)) {
      const stored = this.bus.store(physical, bytes, BigInt.asUintN(bytes * 8, value));
      if (!stored) throw new Trap(Cause.StoreAccess, this.address(low));
      return;
    }
    this.beforeStore(low, physical, bytes);
    this.poke(physical, bytes, value);
  }

  /** Announces a load that somebody watches, or sees to it that the next one from this page is quick. */
  private beforeLoad(low: number, physical: number, bytes: number): void {
    if (!this.frames.watchesLoads(this.frameOf(physical))) this.remember(low, this.high, physical, 'read');
    else {
      this.frames.beforeLoad(physical - this.bus.ramBase, bytes);
    }
  }

  /** Announces a store, or sees to it that the next one to this page need not be. */
  private beforeStore(low: number, physical: number, bytes: number): void {
    if (this.frames.isPlain(this.frameOf(physical))) this.remember(low, this.high, physical, 'write');
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
      if (this.frames.watchesLoads(this.frameOf(part.physical))) {
        this.frames.beforeLoad(part.physical - this.bus.ramBase, part.bytes);
      }
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

  /** Sixteen bits of code at a virtual address. Throws Trap. */
  protected fetch16(virtual: bigint): number {
    this.high = Number(BigInt.asIntN(32, virtual >> 32n));
    const host = this.executable(Number(BigInt.asIntN(32, virtual)));
    if (host !== 0) return this.state.view.getUint16(host, true);
    const physical = this.translate(virtual, 'execute', 2);
    if (!this.isRam(physical, 2)) throw new Trap(Cause.FetchAccess, virtual);
    return this.state.view.getUint16(this.hostOf(physical), true);
  }

  /**
   * Frame of the page of code at the address `high`:`low`, or -1 where not all of the page may be executed alike.
   * Throws Trap.
   */
  protected fetchFrame(low: number, high: number): number {
    this.high = high;
    const host = this.executable(low & ~1);
    if (host !== 0) return (host - RAM_START) >>> 12;
    const virtual = this.address(low);
    const physical = this.translate(virtual, 'execute', 2);
    if (!this.isRam(physical, 2)) throw new Trap(Cause.FetchAccess, virtual);
    this.strict?.noteFetch(this.index, virtual, physical);
    this.remember(low, high, physical, 'execute');
    return this.lookUp(FETCH_TLB, Tag.fetch, low & ~1, 2) !== 0 ? this.frameOf(physical) : -1;
  }

  // ---- RAM ----------------------------------------------------------------------------------------------

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
    if (bytes === 8) return view.setBigInt64(at, value, true);
    const low = Number(BigInt.asUintN(32, value));
    if (bytes === 1) view.setUint8(at, low);
    else if (bytes === 2) view.setUint16(at, low, true);
    else view.setUint32(at, low, true);
  }
}
