/**
 * The past of a machine's run, and the way back into it: checkpoints and what was typed, from which every moment can be
 * come to again by executing once more, since runs are deterministic. The run may go on from there as it went before, or,
 * when something is typed or changed by hand, in another way; what came after is then forgotten.
 *
 * What takes long is a generator that yields now and then, so that others have their turns.
 */
import { CYCLES_PER_SECOND } from '../../machine/clock.js';
import type { InputEntry } from '../../machine/input-log.js';
import type { Machine, Moment, StepLimit } from '../../machine/machine.js';
import type { Stop } from '../../machine/stop.js';
import type { Hart } from '../../rv64/hart.js';
import { type Checkpoint, Checkpoints, compareMoments } from './checkpoints.js';
import type { OutputGate } from './output-gate.js';

/** Cycles between checkpoints: what is to be executed once more to come to a moment just past. */
const CHECKPOINT_CYCLES = CYCLES_PER_SECOND / 10;
/** Cycles that are executed once more without a pause for others. */
const PORTION_CYCLES = 1_000_000;

export class History {
  /** Moments of this run that somebody named. */
  readonly names = new Map<string, Moment>();
  private readonly checkpoints: Checkpoints;
  private input: InputEntry[] = [];
  /** How many entries of `input` lie before where the run is. */
  private inputTaken = 0;
  /** Typed in the middle of a round, after which it reaches the guest. */
  private held: Uint8Array[] = [];
  private isChangedByHand = false;

  /** `gate` is where the machine's output goes through; `budgetBytes` is memory for checkpoints. */
  constructor(
    private readonly machine: Machine,
    private readonly gate: OutputGate,
    budgetBytes: number,
  ) {
    this.checkpoints = new Checkpoints(machine, budgetBytes);
    this.takeCheckpoint(false);
  }

  /** How far back there is a way. */
  get beginning(): Moment {
    return this.checkpoints.all[0].moment;
  }

  /** What was typed up to where the run is. */
  get pastInput(): readonly InputEntry[] {
    return this.input.slice(0, this.inputTaken);
  }

  /** Memory that the checkpoints take. */
  get bytes(): number {
    return this.checkpoints.bytes;
  }

  // ---- forwards -----------------------------------------------------------------------------------------

  /** As `Machine.run`, though it may end sooner; notes what is needed to come back. */
  run(cycles: number, idle: 'skip' | 'return', limit?: StepLimit): Stop {
    this.keepChanges();
    // What is typed now takes the place of what was typed here before.
    this.takeHeld();
    this.feed();
    const stop = this.machine.run(Math.min(cycles, this.cyclesToInput), idle, limit);
    const { moment } = this.machine;
    const isDue = moment.completed >= this.checkpoints.last!.moment.completed + CHECKPOINT_CYCLES;
    if (!this.isInRound && isDue) this.takeCheckpoint(false);
    return stop;
  }

  private takeCheckpoint(isByHand: boolean): void {
    const host = { transmitted: this.gate.position, inputTaken: this.inputTaken };
    this.checkpoints.take(host, isByHand);
  }

  /** What was changed by hand is not come to by executing. */
  private keepChanges(): void {
    if (!this.isChangedByHand) return;
    this.isChangedByHand = false;
    this.takeCheckpoint(true);
  }

  passIdle(cycles: number): void {
    this.machine.passIdle(Math.min(cycles, this.cyclesToInput));
  }

  /** Types at the guest's serial port, between this round of slices and the next. */
  type(input: string | Uint8Array): void {
    this.held.push(typeof input === 'string' ? new TextEncoder().encode(input) : new Uint8Array(input));
  }

  get pendingInput(): number {
    return this.held.reduce((sum, bytes) => sum + bytes.length, this.machine.pendingInput);
  }

  /** To be called before the machine is changed other than by running it. */
  changeByHand(): void {
    this.forgetFuture();
    this.isChangedByHand = true;
  }

  /** Hands over what was typed here when the run came through before. */
  private feed(): void {
    if (this.isInRound) return;
    for (; this.cyclesToInput <= 0; this.inputTaken++) this.machine.type(this.input[this.inputTaken].bytes);
  }

  private get isInRound(): boolean {
    return this.machine.moment.turn >= 0;
  }

  private takeHeld(): void {
    const { machine } = this;
    if (this.isInRound) return;
    for (const bytes of this.held.splice(0)) {
      this.forgetFuture();
      this.input.push({ at: machine.cycles, instructions: machine.instructionCount, bytes });
      this.inputTaken++;
      machine.type(bytes);
    }
  }

  private get cyclesToInput(): number {
    const next = this.input[this.inputTaken];
    return next === undefined ? Infinity : next.at - this.machine.cycles;
  }

  private forgetFuture(): void {
    this.input.length = this.inputTaken;
    const { moment } = this.machine;
    this.checkpoints.forgetAfter(moment);
    for (const [name, named] of this.names) if (compareMoments(named, moment) > 0) this.names.delete(name);
    this.gate.open();
  }

  // ---- backwards ----------------------------------------------------------------------------------------

  /** Goes to a moment of the past. */
  *goTo(moment: Moment): Generator<void> {
    this.keepChanges();
    const start = this.latest((checkpoint) => compareMoments(checkpoint.moment, moment) <= 0);
    // A moment that there is no way back to any more is as good as the beginning.
    this.restore(start ?? this.checkpoints.all[0]);
    if (start === undefined) return;
    yield* this.replayTo(moment);
  }

  /** Goes to where a hart had made so many steps; false, at the beginning, where that is too far back. */
  *goToStep(hart: Hart, steps: number): Generator<void, boolean> {
    this.keepChanges();
    const checkpoint = this.latest((each) => each.steps[hart.index] <= steps);
    this.restore(checkpoint ?? this.checkpoints.all[0]);
    while (hart.steps < steps) {
      this.replay(PORTION_CYCLES, (each) => (each === hart ? steps : Infinity));
      yield;
    }
    return checkpoint !== undefined;
  }

  /**
   * Goes through the run backwards, a stretch between checkpoints at a time, each of them executed forwards. After each
   * stretch `found` is asked for a moment to go to. False, at the beginning, where it never named one.
   */
  *search(found: () => Moment | undefined): Generator<void, boolean> {
    this.keepChanges();
    let end = this.machine.moment;
    for (;;) {
      const checkpoint = this.latest(({ moment }) => compareMoments(moment, end) < 0);
      if (checkpoint === undefined) break;
      this.restore(checkpoint);
      yield* this.replayTo(end);
      const moment = found();
      if (moment !== undefined) {
        yield* this.goTo(moment);
        return true;
      }
      end = checkpoint.moment;
    }
    this.restore(this.checkpoints.all[0]);
    return false;
  }

  private latest(condition: (checkpoint: Checkpoint) => boolean): Checkpoint | undefined {
    return this.checkpoints.all.findLast(condition);
  }

  private restore(checkpoint: Checkpoint): void {
    this.checkpoints.restore(checkpoint);
    this.gate.position = checkpoint.host.transmitted;
    this.inputTaken = checkpoint.host.inputTaken;
  }

  private *replayTo(moment: Moment): Generator<void> {
    while (this.machine.cycles < moment.completed) {
      this.replay(Math.min(PORTION_CYCLES, moment.completed - this.machine.cycles));
      yield;
    }
    // What was typed between two rounds came after the moment between them.
    if (moment.turn >= 0) this.feed();
    this.machine.runTo(moment);
  }

  /** Executes once more what was executed already. */
  private replay(cycles: number, limit?: StepLimit): void {
    this.feed();
    const portion = Math.min(cycles, this.cyclesToInput);
    const stop = this.machine.run(portion, 'skip', limit);
    if (stop.kind === 'idle') this.machine.passIdle(portion);
  }
}
