/** A virtio driver for tests: guest memory, a virtqueue laid out in it, and the disk's requests. */

import type { DmaMemory } from '../../src/devices/device.js';
import type { VirtioMmio, VirtioVersion } from '../../src/devices/virtio-mmio.js';

export const RAM_BASE = 0x8000_0000;
export const RAM_BYTES = 0x2_0000;

/** Guest memory of a few pages. */
export class TestRam implements DmaMemory {
  readonly bytes = new Uint8Array(RAM_BYTES);
  readonly view = new DataView(this.bytes.buffer);

  read(address: bigint, length: number): Uint8Array | undefined {
    if (!this.holds(address, length)) return undefined;
    return this.bytes.subarray(Number(address) - RAM_BASE, Number(address) - RAM_BASE + length);
  }

  write(address: bigint, bytes: Uint8Array): boolean {
    if (!this.holds(address, bytes.length)) return false;
    this.bytes.set(bytes, Number(address) - RAM_BASE);
    return true;
  }

  private holds(address: bigint, length: number): boolean {
    return address >= BigInt(RAM_BASE) && address + BigInt(length) <= BigInt(RAM_BASE + RAM_BYTES);
  }
}

export interface TestDescriptor {
  address: number | bigint;
  length: number;
  flags?: number;
  next?: number;
}

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

/** The tables in RAM; with a queue of eight they have the legacy layout, and data goes to the pages after them. */
export const DESCRIPTORS = RAM_BASE;
export const QUEUE_SIZE = 8;
export const AVAILABLE = DESCRIPTORS + 16 * QUEUE_SIZE;
export const USED = RAM_BASE + 0x1000;
export const DATA = RAM_BASE + 0x2000;

/** Drives a device the way a kernel's driver does, down to the order of the registers. */
export class TestDriver {
  constructor(
    readonly device: VirtioMmio,
    readonly ram: TestRam,
  ) {}

  read(register: number): number {
    return this.device.load(register, 4);
  }

  write(register: number, value: number): void {
    this.device.store(register, 4, value);
  }

  /** Takes the device through its initialization (section 3.1) and sets up queue 0. */
  start(version: VirtioVersion): void {
    for (const status of [0, 1, 3, 11]) this.write(0x070, status);
    this.write(0x030, 0);
    this.write(0x038, QUEUE_SIZE);
    if (version === 1) {
      this.write(0x028, 4096);
      this.write(0x040, DESCRIPTORS / 4096);
    } else {
      const tables = [DESCRIPTORS, AVAILABLE, USED];
      tables.forEach((address, index) => this.write(0x080 + 0x10 * index, address));
      this.write(0x044, 1);
    }
    this.write(0x070, 15);
  }

  /** Stores descriptors at `table`, from its entry `first` on. */
  describe(descriptors: TestDescriptor[], { table = DESCRIPTORS, first = 0 } = {}): void {
    descriptors.forEach(({ address, length, flags = 0, next = 0 }, index) => {
      const at = table - RAM_BASE + 16 * (first + index);
      this.ram.view.setBigUint64(at, BigInt(address), true);
      this.ram.view.setUint32(at + 8, length, true);
      this.ram.view.setUint16(at + 12, flags, true);
      this.ram.view.setUint16(at + 14, next, true);
    });
  }

  /** Stores descriptors that follow each other, in a chain from the first to the last. */
  chain(descriptors: TestDescriptor[], { table = DESCRIPTORS, first = 0 } = {}): void {
    const last = descriptors.length - 1;
    const linked = descriptors.map((descriptor, index) => ({
      ...descriptor,
      flags: (descriptor.flags ?? 0) | (index < last ? NEXT : 0),
      next: index < last ? first + index + 1 : 0,
    }));
    this.describe(linked, { table, first });
  }

  /** Makes the chain at `head` available without telling the device. */
  offer(head: number): void {
    const index = this.ram.view.getUint16(AVAILABLE - RAM_BASE + 2, true);
    this.ram.view.setUint16(AVAILABLE - RAM_BASE + 4 + 2 * (index % QUEUE_SIZE), head, true);
    this.ram.view.setUint16(AVAILABLE - RAM_BASE + 2, (index + 1) & 0xffff, true);
  }

  notify(queue = 0): void {
    this.write(0x050, queue);
  }

  get usedIndex(): number {
    return this.ram.view.getUint16(USED - RAM_BASE + 2, true);
  }

  used(slot: number): { head: number; length: number } {
    const at = USED - RAM_BASE + 4 + 8 * slot;
    return { head: this.ram.view.getUint32(at, true), length: this.ram.view.getUint32(at + 4, true) };
  }

  /** Stores the header of a disk request. */
  header(type: number, sector: number | bigint, address = DATA): void {
    this.ram.view.setUint32(address - RAM_BASE, type, true);
    this.ram.view.setUint32(address - RAM_BASE + 4, 0, true);
    this.ram.view.setBigUint64(address - RAM_BASE + 8, BigInt(sector), true);
  }

  /** Bytes of RAM, to look at or to fill. */
  at(address: number, length: number): Uint8Array {
    return this.ram.bytes.subarray(address - RAM_BASE, address - RAM_BASE + length);
  }
}
