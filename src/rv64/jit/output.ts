/** Where modules are written. */
import { type Code, signed, unsigned } from './wasm.js';

/** Room for a length in LEB128, padded: any that a module of ours has. */
const LENGTH_BYTES = 4;

/** Takes bytes, one after the other. */
export class Output {
  bytes = new Uint8Array(4096);
  /** How many there are so far. */
  length = 0;

  /** Makes room for so many more. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(2 * (this.length + count));
    larger.set(this.bytes);
    this.bytes = larger;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  write(code: Code): void {
    for (let i = 0; i < code.length; i++) {
      const item = code[i];
      if (typeof item === 'number') this.byte(item);
      else this.write(item);
    }
  }

  copy(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Numbers in LEB128. */
  unsigned(value: number): void {
    if (value < 0x80) this.byte(value);
    else this.write(unsigned(value));
  }

  signed(value: number): void {
    this.write(signed(value));
  }

  /** What `write` writes, and before it how many bytes that is. */
  measured(write: () => void): void {
    const start = this.length + LENGTH_BYTES;
    this.reserve(LENGTH_BYTES);
    this.length = start;
    write();
    const length = this.length - start;
    for (let i = 0; i < LENGTH_BYTES; i++) {
      const more = i < LENGTH_BYTES - 1 ? 0x80 : 0;
      this.bytes[start - LENGTH_BYTES + i] = ((length >>> (7 * i)) & 0x7f) | more;
    }
  }
}
