/** A machine's state as plain data, and a hash of it. */
import type { Stop } from './stop.js';
import type { Round } from './turns.js';

/** Changes whenever the meaning of a snapshot's contents does. */
export const SNAPSHOT_VERSION = 3;

/** All of a machine's state that changes, but for RAM. */
export interface MachineState {
  readonly completed: number;
  /** The round that the harts are in the middle of; see Machine. */
  readonly round: Round | undefined;
  /** See Turns. */
  readonly turns: number;
  readonly clock: unknown;
  readonly hartBlocks: readonly Uint8Array[];
  /** In the order of the board's devices. */
  readonly devices: readonly unknown[];
  /** Undefined where the disk's contents live outside the machine. */
  readonly disk: unknown;
  readonly ended: Stop | undefined;
  /** Numbers of the harts that a debugger holds. */
  readonly held: readonly number[];
  /** What strict mode remembers, where the machine is strict; not part of the hash. */
  readonly strict: unknown;
}

export interface Snapshot extends MachineState {
  readonly version: number;
  /** The kernel's ELF file, for its symbols. */
  readonly kernel: Uint8Array;
  readonly harts: number;
  readonly memoryBytes: number;
  readonly ram: PackedRam;
}

/** RAM without its pages of zeros. */
export interface PackedRam {
  /** Indices of the pages kept, ascending. */
  readonly pages: Uint32Array;
  /** Their contents, 4096 bytes each. */
  readonly bytes: Uint8Array;
}

const PAGE_BYTES = 4096;

/** `noted` has the contents of a page where they are not in `ram`. */
export function packRam(ram: Uint8Array, noted: (page: number) => Uint8Array | undefined): PackedRam {
  const contentOf = (page: number): Uint8Array =>
    noted(page) ?? ram.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  const kept: number[] = [];
  for (let page = 0; page < ram.length / PAGE_BYTES; page++) {
    if (!isZero(contentOf(page))) kept.push(page);
  }
  const bytes = new Uint8Array(kept.length * PAGE_BYTES);
  kept.forEach((page, index) => bytes.set(contentOf(page), index * PAGE_BYTES));
  return { pages: Uint32Array.from(kept), bytes };
}

function isZero({ buffer, byteOffset, length }: Uint8Array): boolean {
  const words = new Int32Array(buffer, byteOffset, length / 4);
  for (let word = 0; word < words.length; word++) {
    if (words[word] !== 0) return false;
  }
  return true;
}

export function unpackRam(packed: PackedRam, ram: Uint8Array): void {
  ram.fill(0);
  packed.pages.forEach((page, index) => {
    ram.set(packed.bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES), page * PAGE_BYTES);
  });
}

/** Sixteen hexadecimal digits that depend on every bit of the state. */
export function hashSnapshot(snapshot: Snapshot): string {
  const { ram, hartBlocks, kernel: _kernel, strict: _strict, ...rest } = snapshot;
  const hash = new Hash();
  hash.bytes(new Uint8Array(ram.pages.buffer, ram.pages.byteOffset, ram.pages.byteLength));
  hash.bytes(ram.bytes);
  hartBlocks.forEach((block) => hash.bytes(block));
  hash.value(rest);
  return hash.digest();
}

const PAGES_PER_PART = 256;

/** Such a number for each part: `time`, harts, devices by name, and each MiB of memory that is not all zeros. */
export function hashParts(
  snapshot: Snapshot,
  deviceNames: readonly string[],
  ramBase: number,
): Map<string, string> {
  const { ram, hartBlocks, devices, completed, round, turns, clock } = snapshot;
  const parts = new Map<string, Hash>();
  const part = (name: string): Hash => {
    const hash = parts.get(name) ?? new Hash();
    parts.set(name, hash);
    return hash;
  };
  part('time').value({ completed, round, turns, clock });
  hartBlocks.forEach((block, index) => part(`hart ${index}`).bytes(block));
  devices.forEach((state, index) => part(deviceNames[index]).value(state));
  ram.pages.forEach((page, index) => {
    const start = ramBase + Math.floor(page / PAGES_PER_PART) * PAGES_PER_PART * PAGE_BYTES;
    const hash = part(`memory from 0x${start.toString(16)}`);
    hash.value(page);
    hash.bytes(ram.bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES));
  });
  return new Map([...parts].map(([name, hash]) => [name, hash.digest()]));
}

/** Two 32-bit lanes of multiply-and-rotate; for telling states apart, not for secrets. */
class Hash {
  private a = 0x243f_6a88;
  private b = 0x85a3_08d3;

  bytes(bytes: Uint8Array): void {
    this.word(bytes.length);
    const whole = bytes.length & ~3;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < whole; at += 4) this.word(view.getInt32(at, true));
    for (let at = whole; at < bytes.length; at++) this.word(bytes[at]);
  }

  /** Plain data of any shape; the order of an object's keys does not matter. */
  value(value: unknown): void {
    if (value instanceof Uint8Array) this.bytes(value);
    else if (ArrayBuffer.isView(value)) {
      this.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else if (Array.isArray(value)) {
      this.word(value.length);
      value.forEach((item) => this.value(item));
    } else if (typeof value === 'object' && value !== null) {
      for (const key of Object.keys(value).sort()) {
        this.text(key);
        this.value((value as Record<string, unknown>)[key]);
      }
    } else this.text(`${typeof value} ${String(value)}`);
  }

  digest(): string {
    this.word(0);
    this.word(0);
    return [this.a, this.b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  }

  private text(text: string): void {
    this.word(text.length);
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
  }

  private word(word: number): void {
    this.a = Math.imul(this.a ^ word, 0x9e37_79b1);
    this.a = (this.a << 15) | (this.a >>> 17);
    this.b = Math.imul(this.b + word + this.a, 0x85eb_ca6b);
    this.b = (this.b << 13) | (this.b >>> 19);
  }
}
