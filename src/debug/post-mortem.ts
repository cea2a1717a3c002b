/**
 * What a kernel died of: the exceptions that harts took in supervisor mode, of which a sound kernel takes none, with
 * what there was to see at the time. A panic, or a trap in the handler, comes later, and hides the first one.
 */
import type { Machine } from '../machine/machine.js';
import { MSTATUS_MXR, MSTATUS_SUM, Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import { Cause, Mode } from '../rv64/trap.js';
import { PTE_BYTES } from '../sv39/pte.js';
import { type Access, walk } from '../sv39/walk.js';
import { entriesFor, isTranslated, rootOf, type VisitedEntry } from './address-space.js';
import type { Backtracer } from './backtrace.js';
import { instructionAt } from './instructions.js';
import type { Places } from './places.js';

/** An exception that a kernel took. */
export interface KernelFault {
  readonly hart: number;
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

const STACK_POINTER = 2;
/** A handler stacks its frame right below what it interrupted. */
const MAXIMUM_HANDLER_STACK = 8192n;
/** Exceptions kept of a chain, of which each was taken in the handler of the one before. */
const MAXIMUM_CHAIN = 8;

export class PostMortem {
  private readonly chains: KernelFault[][];

  /** `machine` has not run yet. */
  constructor(
    private readonly machine: Machine,
    private readonly tracer: Backtracer,
  ) {
    this.chains = machine.harts.map(() => []);
    machine.listenToKernelExceptions((hart, cause, value) => this.note(hart, cause, value));
  }

  /** The hart that is in the function `panic`, or is stuck. */
  deadHart(places: Places): Hart | undefined {
    const isPanicking = (hart: Hart): boolean =>
      this.stackOf(hart).some((address) => /^panic(\+|$)/.test(places.at(address).name));
    return this.machine.harts.find((hart) => hart.stuck ?? isPanicking(hart));
  }

  stackOf(hart: Hart): readonly number[] {
    const isAtEntry = this.machine.symbols.nameAt(hart.pc)?.offset === 0;
    return this.tracer.of(hart, isAtEntry);
  }

  /** The exceptions that a hart is still in the handlers of, the first one first. */
  faultsOf(hart: Hart): readonly KernelFault[] {
    const chain = this.chainOf(hart);
    const last = chain.at(-1);
    const isOver = last === undefined || !isBelow(BigInt.asUintN(64, hart.x[STACK_POINTER]), last);
    return isOver && hart.stuck === undefined ? [] : chain;
  }

  private note(hart: Hart, cause: bigint, value: bigint): void {
    const fault = this.describe(hart, cause, value);
    const chain = this.chainOf(hart);
    const last = chain.at(-1);
    const isNested = last && (isBelow(fault.registers[STACK_POINTER], last) || hart.pc === handlerOf(hart));
    if (isNested) {
      if (chain.length < MAXIMUM_CHAIN) chain.push(fault);
    } else this.chains[hart.index] = [fault];
  }

  /** Without what a machine that was brought back to its past has yet to do. */
  private chainOf({ index }: Hart): KernelFault[] {
    const now = this.machine.instructionCount;
    this.chains[index] = this.chains[index].filter(({ instructionCount }) => instructionCount < now);
    return this.chains[index];
  }

  private describe(hart: Hart, cause: bigint, value: bigint): KernelFault {
    return {
      hart: hart.index,
      cause,
      value: BigInt.asUintN(64, value),
      registers: Array.from(hart.x, (each) => BigInt.asUintN(64, each)),
      instructionCount: this.machine.instructionCount,
      stack: this.tracer.of(hart, false),
      instruction: instructionAt(this.machine, hart, hart.pc)?.bits,
      translation: this.translate(hart, cause, value),
    };
  }

  private translate(hart: Hart, cause: bigint, value: bigint): Translated | undefined {
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
        const bytes = this.machine.readMemory(BigInt(at), PTE_BYTES);
        return bytes && new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
      },
      writePte: () => true,
      visitTable: () => {},
    });
    const path = entriesFor(this.machine, root, value);
    return { access, root, path, reason: found.ok ? undefined : found.reason };
  }
}

/** Where a hart's traps to supervisor mode go (privileged specification, "stvec"): exceptions to the base. */
const handlerOf = (hart: Hart): bigint => hart.csr[Slot.stvec] & ~3n;

/** Whether a stack pointer lies below that at an exception, as it does in its handler. */
function isBelow(stackPointer: bigint, fault: KernelFault): boolean {
  const before = fault.registers[STACK_POINTER];
  return stackPointer < before && before - stackPointer < MAXIMUM_HANDLER_STACK;
}
