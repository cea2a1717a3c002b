/** Physical memory, as far as the model knows it: frames of 4096 bytes. Addresses are plain numbers, below 2^53. */
import { PAGE_BYTES } from '../../sv39/pte.js';

/** What a page table is read from: the model's own memory, or a guest's. */
export interface ReadableMemory {
  /** The little-endian number of `bytes` (4 or 8) bytes; undefined where there is no memory. */
  read(address: number, bytes: number): bigint | undefined;
}

export interface Memory extends ReadableMemory {
  write(address: number, bytes: number, value: bigint): void;
  /** Sets every byte of a frame. */
  fill(frame: number, byte: number): void;
  /** Copies a whole frame. */
  copy(from: number, to: number): void;
}

/** Distance from the beginning of the page. The operator takes the low 32 bits of any address. */
export const offsetInPage = (address: number): number => address & (PAGE_BYTES - 1);
export const roundDown = (address: number): number => address - offsetInPage(address);
export const roundUp = (address: number): number => roundDown(address + PAGE_BYTES - 1);

/** Memory that exists everywhere and holds zeros until it is written. */
export class SparseMemory implements Memory {
  private readonly frames = new Map<number, DataView>();

  read(address: number, bytes: number): bigint {
    const view = this.frame(address);
    const offset = address % PAGE_BYTES;
    return bytes === 4 ? BigInt(view.getUint32(offset, true)) : view.getBigUint64(offset, true);
  }

  write(address: number, bytes: number, value: bigint): void {
    const view = this.frame(address);
    const offset = address % PAGE_BYTES;
    if (bytes === 4) view.setUint32(offset, Number(value), true);
    else view.setBigUint64(offset, value, true);
  }

  fill(frame: number, byte: number): void {
    new Uint8Array(this.frame(frame).buffer).fill(byte);
  }

  copy(from: number, to: number): void {
    new Uint8Array(this.frame(to).buffer).set(new Uint8Array(this.frame(from).buffer));
  }

  private frame(address: number): DataView {
    const frame = roundDown(address);
    let view = this.frames.get(frame);
    if (view === undefined) this.frames.set(frame, (view = new DataView(new ArrayBuffer(PAGE_BYTES))));
    return view;
  }
}
