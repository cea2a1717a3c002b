/**
 * Steps by lines of source, out of functions, and back, made of what a `Debugger` can do: single steps, and runs to
 * breakpoints. A step is a plan, which the machine's halts drive on; whoever it is for hears only of the last one. The
 * same thread of the guest is known by its stack pointer and its page table, on whichever hart it goes on.
 */
import { Slot } from '../../rv64/csr/bits.js';
import type { Hart } from '../../rv64/hart.js';
import { Mode } from '../../rv64/trap.js';
import type { Debugger, Follower, Halt } from '../debugger.js';
import { instructionAt, isCall, isReturn, isTrapReturn } from '../instructions.js';
import type { Code } from './code.js';
import type { Point, Points } from './points.js';

const STACK_POINTER = 2;

/** Why the machine stands still, and the hart it is about. */
export interface Stopped {
  readonly hart: Hart;
  readonly reason: Halt['reason'];
  /** The points that the hart is at, where that is why. */
  readonly points: readonly Point[];
}

/** What is done at each halt; returns the hart that it is about in the end. */
type Plan = Generator<void, Hart, Halt>;

/** Where a plan waits for its hart, and how that is known. */
interface Meeting {
  readonly address: bigint;
  readonly isIt: (hart: Hart) => boolean;
}

export interface StepperEvents {
  readonly onStopped: (stopped: Stopped) => void;
  readonly onEnded: (code: number) => void;
}

export class Stepper implements Follower {
  private plan: Plan | undefined;
  private meetings: readonly Meeting[] = [];
  private isBackwards = false;

  constructor(
    private readonly target: Debugger,
    private readonly code: Code,
    private readonly points: Points,
    private readonly events: StepperEvents,
  ) {
    target.follower = this;
  }

  // ---- what a user asks for -----------------------------------------------------------------------------

  resume(hart: Hart): void {
    this.isBackwards = false;
    this.target.resume(hart);
  }

  resumeBack(): void {
    this.isBackwards = true;
    this.target.resumeBack();
  }

  pause(hart: Hart): void {
    this.target.halt();
    this.stop(hart, 'asked');
  }

  stepInstruction(hart: Hart): void {
    this.follow(this.once(() => this.target.step(hart)));
  }

  stepInstructionBack(hart: Hart): void {
    this.follow(this.once(() => this.target.stepBack(hart)));
  }

  /** To the next line, through calls or into those whose source is known. */
  stepLine(hart: Hart, into: boolean): void {
    this.follow(this.line(hart, into));
  }

  /** To before the line that was executed last. */
  stepLineBack(hart: Hart): void {
    this.follow(this.lineBack(hart));
  }

  /** To the caller; false where none is known. */
  stepOut(hart: Hart): boolean {
    const caller = this.code.stack(hart).at(1);
    if (caller === undefined) return false;
    const { callerStackPointer } = this.code.frame(hart);
    const isIt = this.isThread(hart, callerStackPointer);
    this.follow(this.runTo(hart, [{ address: caller.address, isIt }]));
    return true;
  }

  // ---- what the machine does ----------------------------------------------------------------------------

  halted(halt: Halt): void {
    const { hart, reason } = halt;
    if (reason !== 'breakpoint') {
      if (this.plan && reason === 'step') this.drive(halt);
      else this.stop(hart, reason);
      return;
    }
    if (this.points.at(hart).length > 0) this.stop(hart, reason);
    else if (this.meetings.some(({ address, isIt }) => address === unsigned(hart.pc) && isIt(hart)))
      this.drive(halt);
    else if (this.isBackwards) this.target.resumeBack();
    else this.target.resume(hart);
  }

  ended(code: number): void {
    this.abandon();
    this.events.onEnded(code);
  }

  // ---- plans --------------------------------------------------------------------------------------------

  private follow(plan: Plan): void {
    this.isBackwards = false;
    this.plan = plan;
    this.advance(plan.next());
  }

  private drive(halt: Halt): void {
    this.advance(this.plan!.next(halt));
  }

  private advance({ done, value }: IteratorResult<void, Hart>): void {
    if (done) this.stop(value as Hart, 'step');
  }

  private stop(hart: Hart, reason: Halt['reason']): void {
    this.abandon();
    const isAtPoint = reason === 'step' || reason === 'breakpoint';
    this.events.onStopped({ hart, reason, points: isAtPoint ? this.points.at(hart) : [] });
  }

  private abandon(): void {
    this.plan = undefined;
    this.meet([]);
  }

  private meet(meetings: readonly Meeting[]): void {
    const before = this.meetings;
    this.meetings = meetings;
    for (const { address } of meetings) this.target.breakpoints.add(address);
    for (const { address } of before) {
      if (!meetings.some((each) => each.address === address)) this.points.letGo(address);
    }
  }

  private *once(go: () => void): Plan {
    go();
    return (yield).hart;
  }

  private *line(hart: Hart, into: boolean): Plan {
    const start = this.code.lineAt(hart, hart.pc);
    for (;;) {
      hart = yield* this.stepThroughCalls(hart, into);
      if (start === undefined || this.points.at(hart).length > 0) return hart;
      const now = this.code.lineAt(hart, hart.pc);
      const isOther = now?.line !== start.line || now.file !== start.file;
      if (isOther && this.code.isAtLineStart(hart)) return hart;
    }
  }

  /** One instruction, with what it calls, and with the trap that comes in its place. */
  private *stepThroughCalls(hart: Hart, into: boolean): Plan {
    const before = instructionAt(this.target.machine, hart, hart.pc);
    const isIt = this.isThread(hart, hart.x[STACK_POINTER]);
    const { pc } = hart;
    this.target.step(hart);
    yield;
    const next = before && pc + BigInt(before.bytes);
    if (hart.pc === trapVector(hart)) {
      const isCompleted = before?.name === 'ecall';
      return yield* this.runTo(hart, [{ address: isCompleted ? next! : pc, isIt }]);
    }
    const isInto = into && this.code.lineAt(hart, hart.pc) !== undefined;
    if (before && isCall(before) && !isInto) return yield* this.runTo(hart, [{ address: next!, isIt }]);
    return hart;
  }

  private *runTo(hart: Hart, meetings: readonly Meeting[]): Plan {
    this.isBackwards = false;
    this.meet(meetings);
    this.target.resume(hart);
    const halt = yield;
    this.meet([]);
    return halt.hart;
  }

  private *lineBack(hart: Hart): Plan {
    const hasLine = this.code.lineAt(hart, hart.pc) !== undefined;
    do hart = yield* this.stepBackThroughCalls(hart);
    while (hasLine && !this.code.isAtLineStart(hart) && this.points.at(hart).length === 0);
    return hart;
  }

  /** One instruction back, with what it called, and with the trap that came in its place. */
  private *stepBackThroughCalls(hart: Hart): Plan {
    const { pc } = hart;
    const isIt = this.isThread(hart, hart.x[STACK_POINTER]);
    this.target.stepBack(hart);
    yield;
    const last = instructionAt(this.target.machine, hart, hart.pc);
    if (last && isReturn(last)) {
      const isCallHere = (each: Hart): boolean => {
        const call = instructionAt(this.target.machine, each, each.pc);
        return isIt(each) && call !== undefined && isCall(call) && each.pc + BigInt(call.bytes) === pc;
      };
      const meetings = [2n, 4n].map((bytes) => ({ address: pc - bytes, isIt: isCallHere }));
      return yield* this.runBackTo(meetings);
    }
    if (last && isTrapReturn(last)) {
      hart = yield* this.runBackTo([{ address: unsigned(trapVector(hart)), isIt }]);
      this.target.stepBack(hart);
      yield;
    }
    return hart;
  }

  private *runBackTo(meetings: readonly Meeting[]): Plan {
    this.isBackwards = true;
    this.meet(meetings);
    this.target.resumeBack();
    const halt = yield;
    this.meet([]);
    return halt.hart;
  }

  private isThread(hart: Hart, stackPointer: bigint): (hart: Hart) => boolean {
    const [mode, satp] = [hart.mode, hart.csr[Slot.satp]];
    return (each) =>
      each.x[STACK_POINTER] === stackPointer && each.csr[Slot.satp] === satp && each.mode >= mode;
  }
}

/** Where a hart goes when it traps to the mode that it is in. */
const trapVector = (hart: Hart): bigint =>
  (hart.mode === Mode.Machine ? hart.csr[Slot.mtvec] : hart.csr[Slot.stvec]) & ~3n;

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
