/** An exception with what there was to see when a hart took it. */
import type { Machine } from '../machine/machine.js';
import { MSTATUS_MXR, MSTATUS_SUM, Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import { Cause, Mode } from '../rv64/trap.js';
import { PTE_BYTES } from '../sv39/pte.js';
import { type Access, walk } from '../sv39/walk.js';
import { entriesFor, isTranslated, rootOf, type VisitedEntry } from './address-space.js';
import { instructionAt } from './instructions.js';

export interface Fault {
  readonly hart: number;
  /** Whether it was taken in user mode. */
  readonly ofUser: boolean;
  readonly cause: bigint;
  /** What stval got. */
  readonly value: bigint;
  /** x0 to x31, unsigned. */
  readonly registers: readonly bigint[];
  /** Instructions that all harts had executed. */
  readonly instructionCount: number;
  /** The pc, then return addresses outwards. */
  readonly stack: readonly number[];
  /** The instruction; undefined where it could not be fetched. */
  readonly instruction: number | undefined;
  /** How the address in `value` was translated; undefined where the cause has none, or translation was off. */
  readonly translation: Translated | undefined;
}

export interface Translated {
  readonly access: Access;
  /** Physical address of the root table. */
  readonly root: bigint;
  readonly path: readonly VisitedEntry[];
  /** Why there was no translation, in words that follow "because"; undefined where there was one. */
  readonly reason: string | undefined;
}

const ACCESSES = new Map<bigint, Access>([
  [BigInt(Cause.FetchPage), 'execute'],
  [BigInt(Cause.LoadPage), 'read'],
  [BigInt(Cause.StorePage), 'write'],
]);

/** The exception that a hart is just taking, to be looked at later. */
export function faultOf(
  machine: Machine,
  hart: Hart,
  cause: bigint,
  value: bigint,
  stack: readonly number[],
): Fault {
  return {
    hart: hart.index,
    ofUser: hart.mode === Mode.User,
    cause,
    value: BigInt.asUintN(64, value),
    registers: Array.from(hart.x, (each) => BigInt.asUintN(64, each)),
    instructionCount: machine.instructionCount,
    stack,
    instruction: instructionAt(machine, hart, hart.pc)?.bits,
    translation: translated(machine, hart, cause, value),
  };
}

function translated(machine: Machine, hart: Hart, cause: bigint, value: bigint): Translated | undefined {
  const access = ACCESSES.get(cause);
  if (access === undefined || !isTranslated(hart)) return undefined;
  const root = rootOf(hart);
  const regime = {
    root: Number(hart.csr[Slot.satp] & 0xfff_ffff_ffffn),
    user: hart.mode === Mode.User,
    sum: hart.mstatusHas(MSTATUS_SUM),
    mxr: hart.mstatusHas(MSTATUS_MXR),
  };
  const found = walk(value, access, regime, {
    readPte: (at) => {
      const bytes = machine.readMemory(BigInt(at), PTE_BYTES);
      return bytes && new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    },
    writePte: () => true,
    visitTable: () => {},
  });
  const path = entriesFor(machine, root, value);
  return { access, root, path, reason: found.ok ? undefined : found.reason };
}
