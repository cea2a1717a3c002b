/**
 * A CSR is one row: name, number, what it reads as, and what a write does to it. The number tells the lowest mode
 * that may access it (bits 9:8) and whether it is read-only (bits 11:10 both set).
 */
import type { Emitter, I32, I64 } from '../emitter.js';
import type { Hart } from '../hart.js';
import { Slot, type SlotName } from './bits.js';

/** What a CSR is to translated code: parts of a stored one, if nothing but instructions changes how they read. */
export interface Translated {
  readonly slot: number;
  /** The bits that are read; the others read 0. */
  readonly readable: bigint;
  /** The bits that a write changes. */
  readonly writable: bigint;
  /** Where a write has effects beyond these bits, as a condition; `run` does those writes. */
  readonly hasEffects?: (t: Emitter, old: I64, value: I64) => I32;
  /** What else a write without effects does. */
  readonly written?: (t: Emitter, value: I64) => void;
}

export interface Csr {
  readonly name: string;
  readonly number: number;
  /** The value as signed or unsigned 64 bits; never a side effect. */
  readonly read: (h: Hart) => bigint;
  /** Takes a value (any 64 bits), legalizes it and stores it. Read-only CSRs have none. */
  readonly write?: (h: Hart, value: bigint) => void;
  /** A condition beyond the privilege mode; where it is false every access is an illegal instruction. */
  readonly allowed?: (h: Hart) => boolean;
  /** Without it `run` does every access. */
  readonly translated?: Translated;
  /** What csrrs and csrrc start from, where that is not what is read (mip). */
  readonly readToModify?: (h: Hart) => bigint;
}

/** A CSR that always reads the same and ignores writes. */
export function constant(name: string, number: number, value: bigint | ((h: Hart) => bigint)): Csr {
  const read = typeof value === 'bigint' ? () => value : value;
  return { name, number, read, write: () => {} };
}

/**
 * A CSR that is storage. `mask` has the bits that can be written, the others keep their value; `changed` is called
 * after a write.
 */
export function stored(
  name: SlotName,
  number: number,
  options: { mask?: bigint; changed?: (h: Hart) => void; allowed?: (h: Hart) => boolean } = {},
): Csr {
  const slot = Slot[name];
  const mask = options.mask ?? -1n;
  return {
    name,
    number,
    allowed: options.allowed,
    translated: options.changed || options.allowed ? undefined : { slot, readable: -1n, writable: mask },
    read: (h) => h.csr[slot],
    write: (h, value) => {
      h.csr[slot] = (h.csr[slot] & ~mask) | (value & mask);
      options.changed?.(h);
    },
  };
}
