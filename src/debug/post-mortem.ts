/**
 * What a kernel died of: the exceptions that harts took in supervisor mode, of which a sound kernel takes none, with
 * what there was to see at the time. A panic, or a trap in the handler, comes later, and hides the first one.
 */
import type { Machine } from '../machine/machine.js';
import { Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import type { Backtracer } from './backtrace.js';
import { type Fault, faultOf } from './fault.js';
import type { Places } from './places.js';

const STACK_POINTER = 2;
/** A handler stacks its frame right below what it interrupted. */
const MAXIMUM_HANDLER_STACK = 8192n;
/** Exceptions kept of a chain, of which each was taken in the handler of the one before. */
const MAXIMUM_CHAIN = 8;

export class PostMortem {
  private readonly chains: Fault[][];

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
  faultsOf(hart: Hart): readonly Fault[] {
    const chain = this.chainOf(hart);
    const last = chain.at(-1);
    const isOver = last === undefined || !isBelow(BigInt.asUintN(64, hart.x[STACK_POINTER]), last);
    return isOver && hart.stuck === undefined ? [] : chain;
  }

  private note(hart: Hart, cause: bigint, value: bigint): void {
    const fault = faultOf(this.machine, hart, cause, value, this.tracer.of(hart, false));
    const chain = this.chainOf(hart);
    const last = chain.at(-1);
    const isNested = last && (isBelow(fault.registers[STACK_POINTER], last) || hart.pc === handlerOf(hart));
    if (isNested) {
      if (chain.length < MAXIMUM_CHAIN) chain.push(fault);
    } else this.chains[hart.index] = [fault];
  }

  /** Without what a machine that was brought back to its past has yet to do. */
  private chainOf({ index }: Hart): Fault[] {
    const now = this.machine.instructionCount;
    this.chains[index] = this.chains[index].filter(({ instructionCount }) => instructionCount < now);
    return this.chains[index];
  }
}

/** Where a hart's traps to supervisor mode go (privileged specification, "stvec"): exceptions to the base. */
const handlerOf = (hart: Hart): bigint => hart.csr[Slot.stvec] & ~3n;

/** Whether a stack pointer lies below that at an exception, as it does in its handler. */
function isBelow(stackPointer: bigint, fault: Fault): boolean {
  const before = fault.registers[STACK_POINTER];
  return stackPointer < before && before - stackPointer < MAXIMUM_HANDLER_STACK;
}
