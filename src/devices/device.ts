/**
 * What a device is to the board, and what the board is to a device. A device sees none of the machine: it is
 * handed the lines, clocks, sinks and stores named here, and nothing else.
 */

/** Width of one access in bytes. The bus splits an access of eight bytes into two of four, low half first. */
export type Width = 1 | 2 | 4;

/** A register block on the bus. */
export interface Device {
  /** Name as it appears in the memory map and in messages, such as `uart`. */
  readonly name: string;
  /** Bytes of address space it answers to. */
  readonly size: number;
  /**
   * Reads `width` bytes at `offset` (aligned to `width`, below `size`) as an unsigned number.
   * Never throws: a register that does not exist reads 0.
   */
  load(offset: number, width: Width): number;
  /** Writes the low `width` bytes of `value` (unsigned). Never throws: a write to nothing is dropped. */
  store(offset: number, width: Width, value: number): void;
  /** Everything that `restore` needs, as plain data (numbers, strings, booleans, bigints, arrays, objects, Uint8Array). */
  state(): unknown;
  /**
   * Takes back what `state` returned. It raises no interrupt line again: what was pending is restored with the
   * interrupt controller.
   */
  restore(state: unknown): void;
}

/** A wire from a device to the interrupt controller, or from the controller to a hart. */
export interface InterruptLine {
  /**
   * Sets the level. A device calls `set(true)` again, with the line already high, when it has more to tell: that
   * makes the interrupt pending anew, where a line that merely stays high does not (see plic.ts).
   */
  set(level: boolean): void;
}

/** Receives the bytes that a serial port transmits. */
export type ByteSink = (byte: number) => void;

/** The board's time, in ticks of the 10 MHz timebase. */
export interface Clock {
  ticks(): bigint;
  /** Moves the clock (a write to `mtime`); later readings go on from `ticks`. */
  setTicks(ticks: bigint): void;
}

/** Guest-physical memory as a bus master sees it: RAM only, never device registers. */
export interface DmaMemory {
  /** The `length` bytes at `address`, or undefined when any of them lies outside RAM. Read-only by agreement. */
  read(address: bigint, length: number): Uint8Array | undefined;
  /** Stores `bytes` at `address`; false, and nothing written, when any of them would lie outside RAM. */
  write(address: bigint, bytes: Uint8Array): boolean;
}

/** Bytes in a disk sector. */
export const SECTOR_BYTES = 512;

/** Where a disk keeps its sectors: a file, or memory. Whole sectors only. */
export interface BlockStore {
  /** Size in sectors of 512 bytes. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Fills `into` (512·n bytes) from `sector` on. Throws `BlockStoreError` when the host fails. */
  read(sector: number, into: Uint8Array): void;
  /** Writes `from` (512·n bytes) from `sector` on. Throws `BlockStoreError`; a sector is written whole or not at all. */
  write(sector: number, from: Uint8Array): void;
  /** Returns once everything written is where it should survive the host. Throws `BlockStoreError`. */
  flush(): void;
  /** What `restore` needs, or undefined where the contents live outside (a file) and are not saved with a machine. */
  state(): unknown;
  restore(state: unknown): void;
}

/** The host could not do what a block store was asked. */
export class BlockStoreError extends Error {
  override readonly name = 'BlockStoreError';
}
