/** The PMP registers (privileged specification, section "Physical Memory Protection CSRs"). */
import type { Hart } from '../hart.js';
import { PMP_CONFIG_BITS } from '../pmp.js';
import { PMP_ENTRIES, PMPADDR_SLOT, Slot } from './bits.js';
import type { Csr } from './csr.js';

/** Bits 55:2 of an address. */
const PMPADDR_BITS = (1n << 54n) - 1n;

const changed = (h: Hart): void => {
  h.updateProtection();
  h.leave();
};

/** A write changes the bytes of the entries that are not locked; W without R is reserved and leaves its entry. */
function legalConfig(h: Hart, firstEntry: number, old: bigint, value: bigint): bigint {
  let result = old;
  for (let i = 0; i < 8; i++) {
    const shift = BigInt(8 * i);
    const config = Number((value >> shift) & 0xffn) & PMP_CONFIG_BITS;
    const isReserved = (config & 3) === 2;
    if (isReserved || h.pmp.isLocked(firstEntry + i)) continue;
    result = (result & ~(0xffn << shift)) | (BigInt(config) << shift);
  }
  return result;
}

const config = (name: 'pmpcfg0' | 'pmpcfg2', number: number, firstEntry: number): Csr => ({
  name,
  number,
  read: (h) => h.csr[Slot[name]],
  write: (h, value) => {
    h.csr[Slot[name]] = legalConfig(h, firstEntry, h.csr[Slot[name]], value);
    changed(h);
  },
});

const address = (entry: number): Csr => ({
  name: `pmpaddr${entry}`,
  number: 0x3b0 + entry,
  read: (h) => h.csr[PMPADDR_SLOT + entry],
  write: (h, value) => {
    if (h.pmp.isAddressLocked(entry)) return;
    h.csr[PMPADDR_SLOT + entry] = value & PMPADDR_BITS;
    changed(h);
  },
});

export const pmpCsrs: readonly Csr[] = [
  config('pmpcfg0', 0x3a0, 0),
  config('pmpcfg2', 0x3a2, 8),
  ...Array.from({ length: PMP_ENTRIES }, (_, entry) => address(entry)),
];
