/** Numbers and bytes as the remote serial protocol writes them. */

/** An address or a length; undefined where the text is none. */
export function parseHex(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

export function hexOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The bytes that a string of digit pairs stands for; undefined where it is none. */
export function bytesOfHex(text: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** The value of a register that the target does not have. */
export const UNAVAILABLE = 'x'.repeat(16);

/** A register's value: eight bytes, the lowest first. */
export function hexOfRegister(value: bigint): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return hexOfBytes(bytes);
}

export function registerOfHex(text: string): bigint | undefined {
  const bytes = text.length === 16 ? bytesOfHex(text) : undefined;
  return bytes && new DataView(bytes.buffer).getBigInt64(0, true);
}

export const hexOfText = (text: string): string => hexOfBytes(new TextEncoder().encode(text));
