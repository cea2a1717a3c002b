/** Reads little-endian numbers and strings one after the other. Every method throws RangeError at the end of the bytes. */
export class ByteReader {
  private readonly view: DataView;

  constructor(
    private readonly contents: Uint8Array,
    public position = 0,
  ) {
    this.view = new DataView(contents.buffer, contents.byteOffset, contents.byteLength);
  }

  get left(): number {
    return this.contents.length - this.position;
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  i8(): number {
    return this.view.getInt8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.advance(8), true);
  }

  /** An unsigned number in LEB128 (DWARF 5, section 7.6); exact below 2^53. */
  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  /** A signed number in LEB128. */
  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return byte & 0x40 ? value - scale * 128 : value;
    }
  }

  /** Up to a zero byte. */
  string(): string {
    const end = this.contents.indexOf(0, this.position);
    if (end < 0) throw new RangeError('a string that does not end');
    const text = new TextDecoder('latin1').decode(this.contents.subarray(this.position, end));
    this.position = end + 1;
    return text;
  }

  /** The next bytes as a reader of their own. */
  slice(count: number): ByteReader {
    return new ByteReader(this.bytes(count));
  }

  /** Another reader of the same bytes, which stands where this one does. */
  copy(): ByteReader {
    return new ByteReader(this.contents, this.position);
  }

  /** The next bytes; a view. */
  bytes(count: number): Uint8Array {
    const start = this.advance(count);
    return this.contents.subarray(start, start + count);
  }

  skip(bytes: number): void {
    this.advance(bytes);
  }

  private advance(bytes: number): number {
    const start = this.position;
    if (bytes > this.left) throw new RangeError('the bytes end too early');
    this.position += bytes;
    return start;
  }
}
