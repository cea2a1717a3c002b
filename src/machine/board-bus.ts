/** The board's wiring: which device answers at which address, and how devices reach RAM. */
import type { Device, DmaMemory, Width } from '../devices/device.js';
import type { Bus } from '../rv64/bus.js';
import type { Frames } from '../rv64/frames.js';
import { RAM_START, type State } from '../rv64/state.js';
import { type MemoryMap, RAM_BASE } from './memory-map.js';

const FRAME_BYTES = 4096;

export class BoardBus implements Bus {
  readonly ramBase = RAM_BASE;

  private readonly devices = new Map<string, Device>();

  constructor(private readonly map: MemoryMap) {}

  /** Lets a device answer in the range of its name. Throws RangeError where sizes differ or there is no such range. */
  attach(device: Device): void {
    const { name, size } = device;
    const range = this.map.named(name);
    if (size !== range.size) throw new RangeError(`${name} has ${size} bytes, its range ${range.size}`);
    this.devices.set(name, device);
  }

  load(physical: number, bytes: number): bigint | undefined {
    const place = this.find(physical, bytes);
    if (place === undefined) return undefined;
    const { device, offset } = place;
    if (bytes < 8) return BigInt(device.load(offset, bytes as Width) >>> 0);
    const low = BigInt(device.load(offset, 4) >>> 0);
    return low | (BigInt(device.load(offset + 4, 4) >>> 0) << 32n);
  }

  store(physical: number, bytes: number, value: bigint): boolean {
    const place = this.find(physical, bytes);
    if (place === undefined) return false;
    const { device, offset } = place;
    if (bytes < 8) device.store(offset, bytes as Width, Number(value));
    else {
      device.store(offset, 4, Number(value & 0xffff_ffffn));
      device.store(offset + 4, 4, Number(value >> 32n));
    }
    return true;
  }

  /** Devices take aligned accesses only; others find nothing. */
  private find(physical: number, bytes: number): { device: Device; offset: number } | undefined {
    if (physical % bytes !== 0) return undefined;
    const range = this.map.find(physical, bytes);
    const device = range && this.devices.get(range.name);
    return device && { device, offset: physical - range.base };
  }
}

/** RAM as devices see it. What they store is announced like any hart's store. */
export class RamDma implements DmaMemory {
  constructor(
    private readonly state: State,
    private readonly frames: Frames,
    /** Told of each transfer's bytes. */
    private readonly onTransfer: (bytes: number) => void,
  ) {}

  read(address: bigint, length: number): Uint8Array | undefined {
    const offset = this.offsetOf(address, length);
    this.onTransfer(length);
    if (offset === undefined) return undefined;
    this.frames.firstFills.settleRange(offset, length);
    return this.state.ram.subarray(offset, offset + length);
  }

  write(address: bigint, bytes: Uint8Array): boolean {
    const offset = this.offsetOf(address, bytes.length);
    this.onTransfer(bytes.length);
    if (offset === undefined) return false;
    const end = offset + bytes.length;
    // By remainders: bitwise operators end at 2 GiB, RAM does not.
    for (let at = offset; at < end;) {
      const next = Math.min(end, at - (at % FRAME_BYTES) + FRAME_BYTES);
      this.frames.beforeStore(at, next - at);
      at = next;
    }
    this.state.bytes.set(bytes, RAM_START + offset);
    return true;
  }

  private offsetOf(address: bigint, length: number): number | undefined {
    const offset = address - BigInt(RAM_BASE);
    if (offset < 0n || offset + BigInt(length) > BigInt(this.state.ramBytes)) return undefined;
    return Number(offset);
  }
}
