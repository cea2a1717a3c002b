/** The packets that look at a hart and at memory or change them, and those that set break- and watchpoints. */
import type { Machine } from '../../machine/machine.js';
import type { Hart } from '../../rv64/hart.js';
import { readVirtual, writeVirtual } from '../address-space.js';
import type { Debugger } from '../debugger.js';
import type { Watchpoint, WatchKind } from '../watchpoints.js';
import { BAD_ADDRESS, BAD_PACKET, OK, UNKNOWN } from './answers.js';
import { hexOfBytes, hexOfRegister, parseHex, registerOfHex, UNAVAILABLE } from './hex.js';
import { PACKET_BYTES } from './packets.js';
import { generalRegisters, isFloatNumber, registerByNumber } from './registers.js';

/** Most bytes of memory read at a time: two digits each. */
export const MOST_BYTES = PACKET_BYTES / 2;

/** What watchpoints are called in `Z` packets, and in stop replies. */
const WATCH_KINDS: ReadonlyMap<string, WatchKind> = new Map([
  ['2', 'write'],
  ['3', 'read'],
  ['4', 'access'],
]);
export const STOP_REASON: Readonly<Record<WatchKind, string>> = {
  write: 'watch',
  read: 'rwatch',
  access: 'awatch',
};
/** Bytes that one watchpoint can have. */
export const MOST_WATCHED = 1 << 20;

// ---- registers ------------------------------------------------------------------------------------------

export function readRegisters(hart: Hart): string {
  return generalRegisters.map(({ read }) => hexOfRegister(read(hart))).join('');
}

/** Takes the values of all general registers, in order. */
export function writeRegisters(hart: Hart, text: string): string {
  const values = generalRegisters.map((_, i) => registerOfHex(text.slice(16 * i, 16 * i + 16)));
  if (values.includes(undefined)) return BAD_PACKET;
  generalRegisters.forEach((register, i) => register.write!(hart, values[i]!));
  return OK;
}

export function readRegister(hart: Hart, text: string): string {
  const number = parseHex(text);
  if (number === undefined) return BAD_PACKET;
  if (isFloatNumber(number)) return UNAVAILABLE;
  const register = registerByNumber(number);
  return register === undefined ? BAD_PACKET : hexOfRegister(register.read(hart));
}

/** Takes `number=value`. */
export function writeRegister(hart: Hart, text: string): string {
  const [digits, valueDigits = ''] = text.split('=');
  const number = parseHex(digits);
  const register = number === undefined ? undefined : registerByNumber(number);
  const value = registerOfHex(valueDigits);
  if (register?.write === undefined || value === undefined) return BAD_PACKET;
  register.write(hart, value);
  return OK;
}

// ---- memory ---------------------------------------------------------------------------------------------

/** `address,length` in hexadecimal. */
export function parseRange(text: string): { address: bigint; length: number } | undefined {
  const [address, length, ...rest] = text.split(',').map(parseHex);
  if (address === undefined || length === undefined || rest.length > 0) return undefined;
  return { address, length: Number(length) };
}

/** Takes `address,length`; the answer may be shorter. */
export function readMemory(machine: Machine, hart: Hart, text: string): string {
  const range = parseRange(text);
  if (range === undefined) return BAD_PACKET;
  const bytes = readVirtual(machine, hart, range.address, Math.min(range.length, MOST_BYTES));
  return bytes.length === 0 && range.length > 0 ? BAD_ADDRESS : hexOfBytes(bytes);
}

/** Takes `address,length:data`. */
export function writeMemory(
  machine: Machine,
  hart: Hart,
  text: string,
  decode: (data: string) => Uint8Array | undefined,
): string {
  const colon = text.indexOf(':');
  const range = colon < 0 ? undefined : parseRange(text.slice(0, colon));
  const bytes = decode(text.slice(colon + 1));
  if (range === undefined || bytes?.length !== range.length) return BAD_PACKET;
  return writeVirtual(machine, hart, range.address, bytes) ? OK : BAD_ADDRESS;
}

// ---- breakpoints and watchpoints ------------------------------------------------------------------------

/** Takes `type,address,length`. */
export function setPoint({ breakpoints, watchpoints }: Debugger, hart: Hart, text: string): string {
  const point = parsePoint(text);
  if (typeof point === 'string') return point;
  if (typeof point === 'bigint') breakpoints.add(point);
  else if (!watchpoints.add(point, hart)) return BAD_ADDRESS;
  return OK;
}

export function removePoint({ breakpoints, watchpoints }: Debugger, text: string): string {
  const point = parsePoint(text);
  if (typeof point === 'string') return point;
  if (typeof point === 'bigint') breakpoints.remove(point);
  else watchpoints.remove(point);
  return OK;
}

/** The address of a breakpoint, a watchpoint, or the answer to what is neither. */
function parsePoint(text: string): bigint | Watchpoint | string {
  const [type, addressDigits, lengthDigits] = text.split(',');
  const address = parseHex(addressDigits);
  const length = Number(parseHex(lengthDigits) ?? NaN);
  if (address === undefined || Number.isNaN(length)) return BAD_PACKET;
  // Breakpoints "in software" and "in hardware" are one: none is written to memory.
  if (type === '0' || type === '1') return address;
  const kind = WATCH_KINDS.get(type);
  if (kind === undefined) return UNKNOWN;
  return length >= 1 && length <= MOST_WATCHED ? { kind, address, length } : BAD_ADDRESS;
}
