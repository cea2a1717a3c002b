/**
 * Run control for a machine: halts it, lets it go on or makes one hart step, and says why it came to a halt. It stands
 * between a session and the machine and answers for it: while the machine is halted, the session's runs run nothing.
 */
import type { Machine, StepLimit, Stop } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import { Breakpoints } from './breakpoints.js';
import { type Watchpoint, Watchpoints } from './watchpoints.js';

/** Why the machine came to a halt, and which hart it is about. */
export interface Halt {
  readonly hart: Hart;
  readonly reason: 'asked' | 'step' | 'breakpoint' | 'watchpoint' | 'stuck';
  /** The one that was hit, if it was one. */
  readonly watchpoint?: Watchpoint;
}

/** Someone who follows what the machine does while it is debugged. */
export interface Follower {
  /** The machine came to a halt that nobody asked for. */
  halted(halt: Halt): void;
  /** The guest ended its run with this exit code. */
  ended(code: number): void;
}

export class Debugger {
  readonly breakpoints: Breakpoints;
  readonly watchpoints: Watchpoints;
  /** Without one the machine is not halted when the guest gets stuck. */
  follower: Follower | undefined;
  /** Called when the machine was told to go on, so that whoever runs it does. */
  onResume: () => void = () => {};

  private halted = false;
  private lastHalt: Halt;
  private limit: StepLimit | undefined;
  /** What a probe or a watcher saw in the run that is under way. */
  private seen: Halt | undefined;
  /** Whether time that passes is the guest's: not when the machine was halted. */
  private hasRun = false;

  constructor(readonly machine: Machine) {
    this.lastHalt = { hart: machine.harts[0], reason: 'asked' };
    this.breakpoints = new Breakpoints(machine, (hart) => this.see({ hart, reason: 'breakpoint' }));
    this.watchpoints = new Watchpoints(machine, (watchpoint, hart) => {
      // A debugger's own stores are none that it waits for.
      if (hart) this.see({ hart, reason: 'watchpoint', watchpoint });
    });
  }

  // ---- for the session ----------------------------------------------------------------------------------

  get symbols(): Machine['symbols'] {
    return this.machine.symbols;
  }

  get pendingInput(): number {
    return this.machine.pendingInput;
  }

  type(input: string | Uint8Array): void {
    this.machine.type(input);
  }

  readMemory(physicalAddress: bigint, length: number): Uint8Array | undefined {
    return this.machine.readMemory(physicalAddress, length);
  }

  describeHart(index: number): string {
    return this.machine.describeHart(index);
  }

  passIdle(cycles: number): void {
    if (this.hasRun) this.machine.passIdle(cycles);
  }

  /** As `Machine.run`; while the machine is halted nothing runs. */
  run(cycles: number, idle: 'skip' | 'return' = 'skip'): Stop {
    this.hasRun = !this.halted;
    if (this.halted) return { kind: 'paused' };
    this.seen = undefined;
    const stop = this.machine.run(cycles, idle, this.limit);
    switch (stop.kind) {
      case 'paused':
        // What is not seen is the end of a step, which the hart is known for.
        this.haltFor(this.seen ?? { hart: this.lastHalt.hart, reason: 'step' });
        break;
      case 'stuck':
        if (this.follower === undefined || this.lastHalt.reason === 'stuck') break;
        this.haltFor({ hart: this.machine.harts.find((hart) => hart.stuck)!, reason: 'stuck' });
        return { kind: 'paused' };
      case 'finished':
      case 'reset':
        this.follower?.ended(stop.kind === 'finished' ? stop.code : 0);
    }
    return stop;
  }

  // ---- for whoever debugs -------------------------------------------------------------------------------

  get isHalted(): boolean {
    return this.halted;
  }

  /** Halts the machine between two instructions; the follower is not told. */
  halt(): void {
    this.halted = true;
  }

  /** Lets the machine go on. A hart that stands at a breakpoint goes on with its instruction if it is `from`. */
  resume(from: Hart): void {
    this.breakpoints.tidy();
    this.watchpoints.tidy();
    this.goOn(from, undefined);
  }

  /** Has a hart make one step (see Hart.steps), whatever breakpoint it stands at; the others have their turns. */
  step(hart: Hart): void {
    const limit = hart.steps + 1;
    this.goOn(hart, (each) => (each === hart ? limit : Infinity));
  }

  private goOn(hart: Hart, limit: StepLimit | undefined): void {
    this.breakpoints.letPass(hart);
    this.lastHalt = { hart, reason: this.lastHalt.reason };
    this.limit = limit;
    this.halted = false;
    this.onResume();
  }

  /** Has the run that is under way come to a halt. */
  private see(halt: Halt): void {
    this.seen ??= halt;
    this.machine.pause();
  }

  private haltFor(halt: Halt): void {
    this.halted = true;
    this.lastHalt = halt;
    this.follower?.halted(halt);
  }
}
