/**
 * Run control for a machine: halts it, lets it go on or makes one hart step, and says why it came to a halt. It stands
 * between a session and the machine and answers for it: while the machine is halted, the session's runs run nothing.
 */
import type { InputEntry } from '../machine/input-log.js';
import type { Machine, Moment, StepLimit } from '../machine/machine.js';
import type { Stop } from '../machine/stop.js';
import type { Hart } from '../rv64/hart.js';
import { Breakpoints } from './breakpoints.js';
import type { History } from './history/history.js';
import { type Watchpoint, Watchpoints } from './watchpoints.js';

/** Why the machine came to a halt, and which hart it is about. */
export interface Halt {
  readonly hart: Hart;
  readonly reason: 'asked' | 'step' | 'breakpoint' | 'watchpoint' | 'stuck' | 'beginning';
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

/** A way into the past. */
interface Journey {
  readonly start: Moment;
  readonly way: Generator<void, Halt>;
  /** To be called when it has ended, or was given up. */
  readonly atEnd: () => void;
}

const ignore = (): void => {};

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
  /** Harts that are to be held as soon as the turn of one of them comes. */
  private holding: readonly Hart[] = [];
  /** What a probe or a watcher saw in the run that is under way. */
  private seen: Halt | undefined;
  /** Whether the last run ended because the guest waits. Otherwise time that passes is not the guest's. */
  private isIdle = false;

  private changed = false;

  /** The way into the past that is being gone. */
  private journey: Journey | undefined;
  /** Told of what is seen, instead of the machine being halted for it. */
  private witness: ((halt: Halt) => void) | undefined;

  /** Without a history there is no way back. */
  constructor(
    readonly machine: Machine,
    private readonly history?: History,
  ) {
    this.lastHalt = { hart: machine.harts[0], reason: 'asked' };
    this.breakpoints = new Breakpoints(machine, (hart) => this.see({ hart, reason: 'breakpoint' }));
    // A call that a debugger makes returns to a breakpoint on the stack, where nothing can be fetched.
    machine.listenToFetchFaults((hart) => this.breakpoints.holds(hart));
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
    return (this.history ?? this.machine).pendingInput;
  }

  type(input: string | Uint8Array): void {
    (this.history ?? this.machine).type(input);
  }

  readMemory(physicalAddress: bigint, length: number): Uint8Array | undefined {
    return this.machine.readMemory(physicalAddress, length);
  }

  describeHart(index: number): string {
    return this.machine.describeHart(index);
  }

  passIdle(cycles: number): void {
    if (this.isIdle) (this.history ?? this.machine).passIdle(cycles);
  }

  /** As `Machine.run`; while the machine is halted nothing runs. */
  run(cycles: number, idle: 'skip' | 'return' = 'skip'): Stop {
    this.isIdle = false;
    if (this.halted) return { kind: 'paused' };
    if (this.journey) {
      this.travel(this.journey.way);
      return { kind: 'budget' };
    }
    this.seen = undefined;
    const stop = (this.history ?? this.machine).run(cycles, idle, this.limit);
    this.isIdle = stop.kind === 'idle';
    switch (stop.kind) {
      case 'paused':
        if (this.seen === undefined && this.holdNow()) return { kind: 'budget' };
        // What is not seen is the end of a step, which the hart is known for.
        this.haltFor(this.seen ?? { hart: this.lastHalt.hart, reason: 'step' });
        break;
      case 'stuck':
        if (this.follower === undefined || this.lastHalt.reason === 'stuck') break;
        this.haltFor({ hart: this.machine.harts.find((hart) => hart.stuck)!, reason: 'stuck' });
        return { kind: 'paused', message: stop.message };
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

  /** Halts the machine between two instructions, on a way back where that began; the follower is not told. */
  halt(): void {
    if (this.journey) {
      this.witness = ignore;
      for (const _ of this.history!.goTo(this.journey.start));
      this.endJourney();
    }
    this.halted = true;
  }

  /** Whether the run is another one than it would be by itself with the same input. */
  get isChangedByHand(): boolean {
    return this.changed;
  }

  /** What was typed on the way to where the run is; undefined where there is no way back, and so no other way. */
  get pastInput(): readonly InputEntry[] | undefined {
    return this.history?.pastInput;
  }

  /** To be called before registers or memory are changed, while the machine is halted. */
  changeByHand(): void {
    this.changed = true;
    this.history?.changeByHand();
  }

  /**
   * Lets the machine go on, without the harts that are to be held. A hart that stands at a breakpoint goes on with its
   * instruction if it is `from`.
   */
  resume(from: Hart, held: readonly Hart[] = []): void {
    this.breakpoints.tidy();
    this.watchpoints.tidy();
    this.goOn(from, held);
  }

  /** Has a hart make one step (see Hart.steps), whatever breakpoint it stands at; the others have their turns, or are held. */
  step(hart: Hart, held: readonly Hart[] = []): void {
    this.goOn(hart, held, hart.steps + 1);
  }

  // ---- backwards ----------------------------------------------------------------------------------------

  get canGoBack(): boolean {
    return this.history !== undefined;
  }

  /** Goes back to before a hart's last step. The machine halts there, as with all of these, after some calls of `run`. */
  stepBack(hart: Hart): void {
    this.goBack(this.wayToStep(hart));
  }

  /** Goes back to the last time that a hart came to a breakpoint, or was about to touch what is watched. */
  resumeBack(): void {
    this.goBack(this.wayToHit(() => true));
  }

  /** Goes back to before the instruction that stored last to memory at an address of a hart. False where there is none. */
  goToLastStore(address: bigint, length: number, hart: Hart | undefined): boolean {
    const watchpoint: Watchpoint = { kind: 'write', address, length };
    if (!this.watchpoints.add(watchpoint, hart)) return false;
    const isIt = (halt: Halt): boolean =>
      halt.watchpoint?.kind === 'write' && halt.watchpoint.address === address;
    this.goBack(this.wayToHit(isIt), () => this.watchpoints.remove(watchpoint));
    return true;
  }

  /** Gives this moment a name, for `goToNamed`; false where there is no history. */
  nameMoment(name: string): boolean {
    this.history?.names.set(name, this.machine.moment);
    return this.history !== undefined;
  }

  /** Goes to a named moment of this run, back or forwards; false where there is none. */
  goToNamed(name: string): boolean {
    const moment = this.history?.names.get(name);
    if (moment === undefined) return false;
    this.goBack(this.wayTo(moment));
    return true;
  }

  private *wayTo(moment: Moment): Generator<void, Halt> {
    yield* this.history!.goTo(moment);
    return { hart: this.lastHalt.hart, reason: 'asked' };
  }

  private *wayToStep(hart: Hart): Generator<void, Halt> {
    const isThere = yield* this.history!.goToStep(hart, hart.steps - 1);
    return { hart, reason: isThere ? 'step' : 'beginning' };
  }

  private *wayToHit(counts: (halt: Halt) => boolean): Generator<void, Halt> {
    let hit: { halt: Halt; moment: Moment } | undefined;
    this.witness = (halt) => {
      if (counts(halt)) hit = { halt, moment: this.machine.moment };
    };
    const isFound = yield* this.history!.search(() => {
      // On the way there it is come by earlier ones.
      if (hit) this.witness = ignore;
      return hit?.moment;
    });
    return isFound ? hit!.halt : { hart: this.lastHalt.hart, reason: 'beginning' };
  }

  private goBack(way: Generator<void, Halt>, atEnd = (): void => {}): void {
    this.journey = { start: this.machine.moment, way, atEnd };
    this.halted = false;
    this.witness = ignore;
    this.breakpoints.letNobodyPass();
    this.onResume();
  }

  private travel(way: Generator<void, Halt>): void {
    const { done, value } = way.next();
    if (!done) return;
    this.endJourney();
    this.haltFor(value);
  }

  private endJourney(): void {
    this.journey!.atEnd();
    this.journey = undefined;
    this.witness = undefined;
  }

  private goOn(hart: Hart, held: readonly Hart[], steps = Infinity): void {
    this.breakpoints.letPass(hart);
    this.lastHalt = { hart, reason: this.lastHalt.reason };
    this.holdOnly(held);
    const { holding } = this;
    this.limit = (each) => (holding.includes(each) ? each.steps : each === hart ? steps : Infinity);
    this.halted = false;
    this.onResume();
  }

  /**
   * Holding harts makes another run of it, so it is put off until one of them would execute something: a step of the
   * hart whose turn it is, which debuggers make over breakpoints with all others held, changes nothing.
   */
  private holdOnly(held: readonly Hart[]): void {
    const { heldHarts } = this.machine;
    const isSo = held.length === heldHarts.length && held.every((hart) => heldHarts.includes(hart));
    this.holding = isSo ? [] : held;
    if (isSo || heldHarts.length === 0) return;
    this.changeByHand();
    this.machine.hold([]);
  }

  /** Holds the harts that are to be held, if the turn of one of them made the machine pause. */
  private holdNow(): boolean {
    const { holding, lastHalt, machine } = this;
    if (holding.length === 0 || lastHalt.hart.steps >= this.limit!(lastHalt.hart, 0)) return false;
    this.changeByHand();
    machine.hold(holding);
    this.holding = [];
    return true;
  }

  /** Has the run that is under way come to a halt, unless it is one through the past; whether it has. */
  private see(halt: Halt): boolean {
    if (this.witness) {
      this.witness(halt);
      return false;
    }
    this.seen ??= halt;
    this.machine.pause();
    return true;
  }

  private haltFor(halt: Halt): void {
    this.halted = true;
    this.lastHalt = halt;
    this.follower?.halted(halt);
  }
}
