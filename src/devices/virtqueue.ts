/**
 * A split virtqueue, seen from the device (virtio 1.2, section 2.7): three tables in guest memory.
 *
 *   descriptors   size × { address u64, length u32, flags u16, next u16 }
 *   available     flags u16, index u16, size × head u16                        written by the driver
 *   used          flags u16, index u16, size × { head u32, length u32 }        written by the device
 *
 * Everything here is the guest's word and none of it is believed: what does not make sense comes back as a
 * `Broken` that says why, and nothing is allocated by a length that the guest gave.
 */

import type { DmaMemory } from './device.js';

/** What the driver did that a device cannot go on from. */
export interface Broken {
  broken: string;
}

export function isBroken(result: object | number | undefined): result is Broken {
  return typeof result === 'object' && 'broken' in result;
}

/** Most descriptors that a queue, or an indirect table, may have. */
export const QUEUE_SIZE_MAX = 1024;

const DESCRIPTOR_BYTES = 16;
const RING_HEADER_BYTES = 4;
const AVAILABLE_ENTRY_BYTES = 2;
const USED_ENTRY_BYTES = 8;

const DESCRIPTOR_NEXT = 1;
const DESCRIPTOR_WRITE = 2;
const DESCRIPTOR_INDIRECT = 4;
const AVAILABLE_NO_INTERRUPT = 1;

interface Descriptor {
  address: bigint;
  length: number;
  flags: number;
  next: number;
}

/** Some descriptors in a row: the queue's own table, or an indirect one. */
interface Table {
  address: bigint;
  entries: number;
}

/** One request: what the driver wrote for the device, and where it wants the answer. */
export interface Chain {
  head: number;
  reader: ChainReader;
  writer: ChainWriter;
}

/** The bytes of a chain that the device may read, however the driver split them. */
export class ChainReader {
  private parts: Uint8Array[] = [];
  /** Bytes not read yet. */
  remaining = 0;

  append(part: Uint8Array): void {
    this.parts.push(part);
    this.remaining += part.length;
  }

  /** Fills `into`, which must not be longer than what remains. */
  read(into: Uint8Array): void {
    let filled = 0;
    while (filled < into.length) {
      const taken = this.parts[0].subarray(0, into.length - filled);
      into.set(taken, filled);
      filled += taken.length;
      if (taken.length === this.parts[0].length) this.parts.shift();
      else this.parts[0] = this.parts[0].subarray(taken.length);
    }
    this.remaining -= into.length;
  }
}

/** The bytes of a chain that the device may write. */
export class ChainWriter {
  private parts: { address: bigint; length: number }[] = [];
  /** Bytes not written or skipped yet. */
  remaining = 0;

  constructor(private readonly memory: DmaMemory) {}

  append(address: bigint, length: number): void {
    this.parts.push({ address, length });
    this.remaining += length;
  }

  /** Writes all of `bytes`, which must not be longer than what remains. */
  write(bytes: Uint8Array): void {
    this.advance(bytes.length, (address, start, end) => {
      this.memory.write(address, bytes.subarray(start, end));
    });
  }

  /** Leaves the next `length` bytes as they are. */
  skip(length: number): void {
    this.advance(length, () => {});
  }

  private advance(length: number, visit: (address: bigint, start: number, end: number) => void): void {
    let done = 0;
    while (done < length) {
      const part = this.parts[0];
      const taken = Math.min(part.length, length - done);
      visit(part.address, done, done + taken);
      done += taken;
      if (taken === part.length) this.parts.shift();
      else this.parts[0] = { address: part.address + BigInt(taken), length: part.length - taken };
    }
    this.remaining -= length;
  }
}

export interface VirtqueueState {
  size: number;
  ready: boolean;
  descriptors: bigint;
  available: bigint;
  used: bigint;
  nextAvailable: number;
  nextUsed: number;
}

export class Virtqueue {
  /** Descriptors in the queue, as the driver says; checked when it is used. */
  size = 0;
  ready = false;
  /** Guest-physical addresses of the three tables. */
  descriptors = 0n;
  available = 0n;
  used = 0n;
  /** The next entries of the rings to take and to fill, counted modulo 2^16 as in the rings. */
  private nextAvailable = 0;
  private nextUsed = 0;

  constructor(private readonly memory: DmaMemory) {}

  /** Starts or stops the queue; it starts with empty rings. */
  setReady(ready: boolean): void {
    this.ready = ready;
    this.nextAvailable = 0;
    this.nextUsed = 0;
  }

  /** How many chains the driver has made available. */
  waiting(): number | Broken {
    if (!this.ready) return { broken: 'the queue is not ready' };
    if (this.size < 1 || this.size > QUEUE_SIZE_MAX || (this.size & (this.size - 1)) !== 0) {
      return { broken: `the queue's size of ${this.size} is not a power of two up to ${QUEUE_SIZE_MAX}` };
    }
    const ring = this.view(this.available, RING_HEADER_BYTES);
    if (!ring) return { broken: `the available ring at ${hex(this.available)} is outside RAM` };
    const index = ring.getUint16(2, true);
    const waiting = (index - this.nextAvailable) & 0xffff;
    if (waiting <= this.size) return waiting;
    return { broken: `the available index ${index} is ${waiting} ahead, in a queue of ${this.size}` };
  }

  /** Takes the next available chain; there must be one waiting. */
  take(): Chain | Broken {
    const slot = this.nextAvailable % this.size;
    const address = this.available + BigInt(RING_HEADER_BYTES + AVAILABLE_ENTRY_BYTES * slot);
    const entry = this.view(address, AVAILABLE_ENTRY_BYTES);
    if (!entry) return { broken: `entry ${slot} of the available ring, at ${hex(address)}, is outside RAM` };
    this.nextAvailable = (this.nextAvailable + 1) & 0xffff;
    return this.gather(entry.getUint16(0, true));
  }

  /** Hands the chain at `head` back with the `length` bytes that the device wrote; undefined if all is well. */
  give(head: number, length: number): Broken | undefined {
    const slot = this.nextUsed % this.size;
    const entry = new Uint8Array(USED_ENTRY_BYTES);
    const view = new DataView(entry.buffer);
    view.setUint32(0, head, true);
    view.setUint32(4, length, true);
    this.nextUsed = (this.nextUsed + 1) & 0xffff;
    const index = Uint8Array.of(this.nextUsed & 0xff, this.nextUsed >> 8);
    const stored =
      this.memory.write(this.used + BigInt(RING_HEADER_BYTES + USED_ENTRY_BYTES * slot), entry) &&
      this.memory.write(this.used + 2n, index);
    return stored ? undefined : { broken: `the used ring at ${hex(this.used)} is outside RAM` };
  }

  /** Whether the driver wants an interrupt for what it is given. */
  get wantsInterrupt(): boolean {
    const ring = this.view(this.available, RING_HEADER_BYTES);
    return ring !== undefined && (ring.getUint16(0, true) & AVAILABLE_NO_INTERRUPT) === 0;
  }

  /** Follows a chain from `head` and collects its buffers (section 2.7.5). */
  private gather(head: number): Chain | Broken {
    const chain: Chain = { head, reader: new ChainReader(), writer: new ChainWriter(this.memory) };
    let table: Table = { address: this.descriptors, entries: this.size };
    let indirect = false;
    let index = head;
    // A chain that is longer than its table comes by a descriptor twice.
    for (let visited = 0; visited < table.entries; visited++) {
      const descriptor = this.descriptor(table, index);
      if (isBroken(descriptor)) return descriptor;
      if (descriptor.flags & DESCRIPTOR_INDIRECT) {
        if (indirect) return { broken: `descriptor ${index} is indirect in an indirect table` };
        const inner = indirectTable(descriptor, index);
        if (isBroken(inner)) return inner;
        table = inner;
        indirect = true;
        index = 0;
        visited = -1;
        continue;
      }
      const problem = this.append(chain, descriptor, index);
      if (problem) return problem;
      if (!(descriptor.flags & DESCRIPTOR_NEXT)) return chain;
      index = descriptor.next;
    }
    return { broken: `the chain of descriptors from ${head} never ends` };
  }

  private descriptor(table: Table, index: number): Descriptor | Broken {
    if (index >= table.entries)
      return { broken: `descriptor ${index} is beyond the ${table.entries} of its table` };
    const address = table.address + BigInt(DESCRIPTOR_BYTES * index);
    const view = this.view(address, DESCRIPTOR_BYTES);
    if (!view) return { broken: `descriptor ${index}, at ${hex(address)}, is outside RAM` };
    return {
      address: view.getBigUint64(0, true),
      length: view.getUint32(8, true),
      flags: view.getUint16(12, true),
      next: view.getUint16(14, true),
    };
  }

  /** Adds one buffer to the chain; undefined if all is well. */
  private append(chain: Chain, { address, length, flags }: Descriptor, index: number): Broken | undefined {
    const buffer = `descriptor ${index} (${length} bytes at ${hex(address)})`;
    if (length === 0) return { broken: `${buffer} is empty` };
    const bytes = this.memory.read(address, length);
    if (!bytes) return { broken: `${buffer} points outside RAM` };
    if (flags & DESCRIPTOR_WRITE) chain.writer.append(address, length);
    else if (chain.writer.remaining > 0)
      return { broken: `${buffer} is to be read but follows one to be written` };
    else chain.reader.append(bytes);
    return undefined;
  }

  private view(address: bigint, length: number): DataView | undefined {
    const bytes = this.memory.read(address, length);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  state(): VirtqueueState {
    const { size, ready, descriptors, available, used, nextAvailable, nextUsed } = this;
    return { size, ready, descriptors, available, used, nextAvailable, nextUsed };
  }

  restore(state: VirtqueueState): void {
    Object.assign(this, state);
  }
}

/** The table that an indirect descriptor points to (section 2.7.5.3). */
function indirectTable({ address, length, flags }: Descriptor, index: number): Table | Broken {
  if (flags & DESCRIPTOR_NEXT) return { broken: `descriptor ${index} is indirect and has a next one too` };
  const entries = length / DESCRIPTOR_BYTES;
  if (Number.isInteger(entries) && entries >= 1 && entries <= QUEUE_SIZE_MAX) return { address, entries };
  return { broken: `the indirect table of descriptor ${index} is ${length} bytes long` };
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
