/** Traps of one hart: what is pending, what is taken when, and the ways into a handler and back. */
import {
  lowWordOf,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_MPP_SHIFT,
  MSTATUS_MPRV,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  Slot,
} from './csr/bits.js';
import { HartTime } from './time.js';
import { Offset } from './state.js';
import { Interrupt, INTERRUPT_PRIORITY, Mode } from './trap.js';

const PC = Offset.pc >>> 2;
const NEXT = Offset.nextPc >>> 2;
const MODE = Offset.mode >>> 2;
const LINES = Offset.lines >>> 2;
const CALLED = Offset.called >>> 2;
const TRAP_DEPTH = Offset.trapDepth >>> 2;

const STATUS = lowWordOf(Slot.mstatus);
const PENDING = lowWordOf(Slot.mip);
const ENABLED = lowWordOf(Slot.mie);
/** The flag of an interrupt in the high word of a cause register. */
const INTERRUPT = 1 << 31;

/** The registers of each mode that handles traps, by their low words. */
const MACHINE = {
  epc: lowWordOf(Slot.mepc),
  cause: lowWordOf(Slot.mcause),
  value: Slot.mtval,
  vector: lowWordOf(Slot.mtvec),
};
const SUPERVISOR = {
  epc: lowWordOf(Slot.sepc),
  cause: lowWordOf(Slot.scause),
  value: Slot.stval,
  vector: lowWordOf(Slot.stvec),
};
const EXCEPTIONS_DELEGATED = lowWordOf(Slot.medeleg);
const INTERRUPTS_DELEGATED = lowWordOf(Slot.mideleg);

/** Traps without one return between them after which a hart is taken to be trapping for ever. */
const MAX_TRAP_DEPTH = 100_000;

/** The last of too many traps without a return. */
export interface EndlessTrap {
  readonly cause: bigint;
  readonly value: bigint;
  readonly pc: bigint;
  readonly handler: bigint;
}

export abstract class Traps extends HartTime {
  /** Set once the hart is found to trap in its own trap handler for ever. */
  stuck: EndlessTrap | undefined;

  /** Told of each trap as it is taken: pc is where, `code` and `isInterrupt` make the cause. */
  protected abstract onTrap(code: number, isInterrupt: boolean, value: bigint): void;
  /** Told of each return from a trap: the mode is the new one, nextPc where the hart goes on. */
  protected abstract onReturn(): void;

  // ---- interrupts ---------------------------------------------------------------------------------------

  /** A device drives the wire of one interrupt. */
  setLine(interrupt: number, level: boolean): void {
    if (level) this.words[LINES] |= 1 << interrupt;
    else this.words[LINES] &= ~(1 << interrupt);
    this.leave();
  }

  /** The value of mip. */
  get pending(): number {
    const now = this.cycles;
    let bits = this.words[PENDING] | this.words[LINES];
    if (this.machineTimer <= now) bits |= 1 << Interrupt.MachineTimer;
    if (this.supervisorTimer <= now) bits |= 1 << Interrupt.SupervisorTimer;
    return bits;
  }

  /** Whether an interrupt is pending that mie enables; it ends a wait even where mstatus keeps it from being taken. */
  protected get isCalled(): boolean {
    return (this.pending & this.words[ENABLED]) !== 0;
  }

  /** The interrupt to take before the next instruction, or -1. */
  protected interruptToTake(): number {
    const ready = this.pending & this.words[ENABLED];
    return ready === 0 ? -1 : this.firstOf(ready);
  }

  /** Of interrupts that are pending and enabled in mie, the first that mode, mstatus and delegation let through, or -1. */
  private firstOf(ready: number): number {
    const delegated = this.words[INTERRUPTS_DELEGATED];
    const { mode } = this;
    const machineOn = mode !== Mode.Machine || this.mstatusHas(MSTATUS_MIE);
    const supervisorOn = mode < Mode.Supervisor || (mode === Mode.Supervisor && this.mstatusHas(MSTATUS_SIE));
    const deliverable = (machineOn ? ready & ~delegated : 0) || (supervisorOn ? ready & delegated : 0);
    return INTERRUPT_PRIORITY.find((interrupt) => deliverable & (1 << interrupt)) ?? -1;
  }

  /** Whether the hart has taken a trap to supervisor mode since reset. */
  get hasTrapped(): boolean {
    return this.words[SUPERVISOR.cause] !== 0;
  }

  /** Notes whether an interrupt may become deliverable while the loop executes without looking around. */
  protected noteCalls(): void {
    this.words[CALLED] = this.isCalled ? 1 : 0;
  }

  // ---- traps --------------------------------------------------------------------------------------------

  /** To be called when supervisor interrupts are enabled in mstatus: one may be waiting to be taken. */
  protected lookForInterrupts(): void {
    if (this.words[CALLED] !== 0) this.leave();
  }

  /** Delivers an exception that the instruction being executed is about, without unwinding it. */
  trapNow(cause: number, value: bigint): void {
    this.enterTrap(cause, false, value);
    // The instruction does not retire, though its cycle passes.
    this.counters[0] -= 1n;
    this.turn();
  }

  /** Delivers a trap: nextPc becomes its handler. Interrupts are taken with pc at the interrupted instruction. */
  protected enterTrap(code: number, isInterrupt: boolean, value: bigint): void {
    const { words } = this;
    const delegation = words[isInterrupt ? INTERRUPTS_DELEGATED : EXCEPTIONS_DELEGATED];
    const toSupervisor = this.mode !== Mode.Machine && ((delegation >>> code) & 1) !== 0;
    this.onTrap(code, isInterrupt, value);
    const registers = toSupervisor ? SUPERVISOR : MACHINE;
    words[registers.epc] = words[PC];
    words[registers.epc + 1] = words[PC + 1];
    words[registers.cause] = code;
    words[registers.cause + 1] = isInterrupt ? INTERRUPT : 0;
    this.csr[registers.value] = value;
    const status = words[STATUS];
    if (toSupervisor) {
      words[STATUS] =
        (status & ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE)) |
        (this.mode === Mode.Supervisor ? MSTATUS_SPP : 0) |
        (status & MSTATUS_SIE ? MSTATUS_SPIE : 0);
      words[MODE] = Mode.Supervisor;
    } else {
      words[STATUS] =
        (status & ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE)) |
        (this.mode << MSTATUS_MPP_SHIFT) |
        (status & MSTATUS_MIE ? MSTATUS_MPIE : 0);
      words[MODE] = Mode.Machine;
    }
    this.goToHandler(registers.vector, isInterrupt ? code : 0);
    this.updateContexts();
    if (++words[TRAP_DEPTH] > MAX_TRAP_DEPTH) {
      const cause = BigInt.asUintN(64, this.csr[toSupervisor ? Slot.scause : Slot.mcause]);
      this.stuck = { cause, value, pc: this.pc, handler: this.nextPc };
      this.leave();
    }
  }

  /** The vector's low two bits say whether interrupts have entries of their own, four bytes each. */
  private goToHandler(vector: number, entry: number): void {
    const { words } = this;
    const low = words[vector];
    words[NEXT] = low & ~3;
    words[NEXT + 1] = words[vector + 1];
    if ((low & 3) === 1 && entry !== 0) this.nextPc += BigInt(4 * entry);
  }

  returnFromMachine(): void {
    const status = this.words[STATUS];
    const mode = (status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
    let after = (status & ~(MSTATUS_MIE | MSTATUS_MPP)) | MSTATUS_MPIE;
    if (status & MSTATUS_MPIE) after |= MSTATUS_MIE;
    if (mode !== Mode.Machine) after &= ~MSTATUS_MPRV;
    this.returnTo(mode, MACHINE.epc, after);
  }

  returnFromSupervisor(): void {
    const status = this.words[STATUS];
    const mode = status & MSTATUS_SPP ? Mode.Supervisor : Mode.User;
    let after = (status & ~(MSTATUS_SIE | MSTATUS_SPP | MSTATUS_MPRV)) | MSTATUS_SPIE;
    if (status & MSTATUS_SPIE) after |= MSTATUS_SIE;
    this.returnTo(mode, SUPERVISOR.epc, after);
  }

  private returnTo(mode: number, epc: number, status: number): void {
    const { words } = this;
    words[STATUS] = status;
    words[MODE] = mode;
    words[TRAP_DEPTH] = 0;
    words[NEXT] = words[epc];
    words[NEXT + 1] = words[epc + 1];
    this.updateContexts();
    this.turn();
    this.onReturn();
  }
}
