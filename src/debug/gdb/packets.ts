/**
 * Packets of the gdb remote serial protocol (the gdb manual, "Remote Protocol", section "Overview"): `$`, a body, `#` and
 * two hexadecimal digits, the sum of the body's bytes modulo 256. A body is a string with a character for each byte.
 */

export type Received =
  | { readonly kind: 'packet'; readonly body: string }
  /** Ctrl-C, outside of packets. */
  | { readonly kind: 'interrupt' }
  /** A packet whose checksum is wrong. */
  | { readonly kind: 'damaged' }
  /** The client did not understand the last packet. */
  | { readonly kind: 'again' };

/** Bytes that a packet may have; what is longer is dropped. */
export const PACKET_BYTES = 16 * 1024;

const INTERRUPT = '\x03';
const ESCAPE = '}';
const ESCAPE_BIT = 0x20;

/** Finds the packets in what a client sends, which arrives in pieces of any size. */
export class PacketReader {
  private state: 'outside' | 'body' | 'checksum' = 'outside';
  private raw = '';
  private checksum = '';

  *feed(bytes: Uint8Array): Generator<Received> {
    for (const byte of bytes) {
      const received = this.take(String.fromCharCode(byte));
      if (received) yield received;
    }
  }

  private take(character: string): Received | undefined {
    // A packet that begins in the middle of another one: that one's end was lost.
    if (character === '$') {
      this.state = 'body';
      this.raw = '';
    } else if (this.state === 'outside') {
      if (character === INTERRUPT) return { kind: 'interrupt' };
      if (character === '-') return { kind: 'again' };
    } else if (this.state === 'body') {
      if (character === '#') {
        this.state = 'checksum';
        this.checksum = '';
      } else if (this.raw.length < PACKET_BYTES) this.raw += character;
      else this.state = 'outside';
    } else {
      this.checksum += character;
      if (this.checksum.length < 2) return undefined;
      this.state = 'outside';
      const isIntact = this.checksum.toLowerCase() === checksumOf(this.raw);
      return isIntact ? { kind: 'packet', body: unescape(this.raw) } : { kind: 'damaged' };
    }
    return undefined;
  }
}

/** The packet with a body. */
export function packet(body: string): Uint8Array {
  const raw = body.replace(/[#$}*]/g, escape);
  return bytesOf(`$${raw}#${checksumOf(raw)}`);
}

export const bytesOf = (characters: string): Uint8Array =>
  Uint8Array.from(characters, (character) => character.charCodeAt(0));

const escape = (character: string): string =>
  ESCAPE + String.fromCharCode(character.charCodeAt(0) ^ ESCAPE_BIT);

const unescape = (raw: string): string =>
  raw.replace(/}([^])/g, (_, character: string) => String.fromCharCode(character.charCodeAt(0) ^ ESCAPE_BIT));

function checksumOf(raw: string): string {
  let sum = 0;
  for (let i = 0; i < raw.length; i++) sum = (sum + raw.charCodeAt(i)) & 0xff;
  return sum.toString(16).padStart(2, '0');
}
