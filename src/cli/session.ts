/**
 * A session with a guest, from reset to its end: runs the machine a slice at a time, types commands at its
 * prompts, watches its output for what is expected and for a panic, and decides when and how the run ends.
 * It knows neither the terminal nor the process; the clock is handed in.
 */
import { Transcript } from './transcript.js';
import type { OutputBuffer } from './output-buffer.js';
import { CYCLES_PER_SECOND } from '../machine/clock.js';
import type { Machine } from '../machine/machine.js';
import type { Stop } from '../machine/stop.js';

/** What a session uses of a `Machine`. */
export type Guest = Pick<
  Machine,
  'type' | 'pendingInput' | 'run' | 'passIdle' | 'readMemory' | 'describeHart'
> & {
  readonly symbols: Pick<Machine['symbols'], 'address'>;
};

/** Exit codes of `rvemu`; the test finisher's own code is the only other one a guest can cause. */
export const EXIT = { done: 0, unexpected: 1, unusable: 2, panicked: 3, timeout: 4, internal: 70 } as const;

export interface SessionOptions {
  harts: number;
  /** Typed one after the other, each at a prompt; the session ends at the prompt after the last. */
  commands: string[];
  /** Matches the end of the unfinished output line when the guest waits for a command. */
  prompt: RegExp;
  /** Must match one of the output's lines. Without commands the session ends as soon as it does. */
  expect?: RegExp;
  /** Whether a person follows the session, who decides when to leave a guest that panicked or waits for ever. */
  interactive: boolean;
  /** Seconds of wall-clock time until the session gives up; Infinity for never. */
  timeoutSeconds: number;
  /** Milliseconds of wall-clock time since any fixed moment. */
  now: () => number;
  /** Asked after each slice whether the session is to end for another reason. */
  interrupt?: () => Ending | undefined;
  /** Explains, in lines, why the guest died, whose last words are given. Asked once. */
  explainPanic?: (title: string) => string;
  /** Explains, in lines, why a program died, if it did, of which the guest reports a trap. */
  explainTrap?: (report: TrapReport) => string | undefined;
}

/** What a kernel prints about a trap. */
export interface TrapReport {
  /** Its words. */
  title: string;
  pc: number;
  /** What stval was. */
  value: bigint;
}

/** How a session ended. */
export interface Ending {
  exitCode: number;
  /** For the user: why, in one line or a few. */
  message?: string;
}

/** What came of one slice of the run. */
export interface Step {
  output: Uint8Array;
  /** Wall-clock seconds that the guest would wait now, so the host should too; then call `passIdle`. */
  idleSeconds: number;
  /** For the user: something that does not end the session. */
  notice?: string;
  /** For the user, in lines: why the guest or a program died. Comes with what the guest printed last. */
  explanation?: string;
  ending?: Ending;
}

/** Short enough that output and typed keys are not held up, long enough that a slice's overhead is not seen. */
const SLICE_CYCLES = Math.round(CYCLES_PER_SECOND / 200);

/** How long a batch run goes on after a panic, for the harts to finish what they print. */
const SLICES_AFTER_PANIC = 5;

const PANIC = /panic: /;
/** Kernels of this family print both registers, in one line; some with the cause in the line before. */
const TRAP_REPORT = /\bsepc[= ](?:0x)?([0-9a-f]+),? stval[= ](?:0x)?([0-9a-f]+)/;

/** Of a line that a message quotes, only the end is shown. */
const MAXIMUM_QUOTE_LENGTH = 160;

export class Session {
  private readonly transcript = new Transcript();
  private readonly prompt: RegExp;
  private readonly commands: string[];
  private readonly deadline: number;
  private expectationMet = false;
  private inputEnded = false;
  private panicLine: string | undefined;
  /** Slices run since the guest panicked, that one included. */
  private panickedSlices = 0;
  private isExplained = false;
  private lineBefore = '';

  /** `output` is where the guest's serial port transmits to. */
  constructor(
    private readonly guest: Guest,
    private readonly output: OutputBuffer,
    private readonly options: SessionOptions,
  ) {
    this.prompt = new RegExp(`(?:${options.prompt.source})$`, options.prompt.flags);
    this.commands = [...options.commands];
    this.deadline = options.now() + 1000 * options.timeoutSeconds;
  }

  type(input: Uint8Array): void {
    this.guest.type(input);
  }

  /** Bytes typed and not yet read by the guest. */
  get pendingInput(): number {
    return this.guest.pendingInput;
  }

  /** Says that nothing more will be typed from outside. */
  endInput(): void {
    this.inputEnded = true;
  }

  /** Lets virtual time pass for the wall-clock time that a waiting guest was left alone. */
  passIdle(seconds: number): void {
    this.guest.passIdle(Math.round(seconds * CYCLES_PER_SECOND));
  }

  /** Runs the guest for one slice. Not to be called again once it returned an ending. */
  step(): Step {
    const stop = this.guest.run(SLICE_CYCLES, this.skipsIdleTime ? 'skip' : 'return');
    const output = this.output.take();
    const quiet = output.length === 0;
    const lines = this.transcript.feed(output);
    this.watch([...lines, this.transcript.currentLine]);

    const notice = this.noticePanic();
    const explanation =
      [...this.explainTraps(lines), this.explain(stop)].filter(Boolean).join('\n') || undefined;
    if (stop.kind === 'paused') {
      const ending = this.options.interrupt?.() ?? this.endingOfTime();
      return { output, idleSeconds: this.secondsLeft, notice, explanation, ending };
    }
    const asleep = quiet && stop.kind === 'idle';
    const ending =
      this.options.interrupt?.() ??
      this.endingOf(stop) ??
      this.endingOfPanic(asleep) ??
      this.endingOfScript(quiet) ??
      this.endingOfTime();
    const typed = !ending && quiet && this.typeNextCommand();
    if (ending || typed || !asleep) return { output, idleSeconds: 0, notice, explanation, ending };
    return {
      output,
      idleSeconds: this.secondsToWait(stop.cycles),
      notice,
      explanation,
      ending: this.endingOfSleep(stop.cycles),
    };
  }

  /**
   * Idle time is skipped where a script says when the run ends. Otherwise whoever types lives in wall-clock
   * time, and so must the guest.
   */
  private get skipsIdleTime(): boolean {
    return this.options.commands.length > 0 || (this.options.expect !== undefined && this.inputEnded);
  }

  /** A guest that printed something in this slice may be in the middle of it; a prompt is what it stops at. */
  private get atPrompt(): boolean {
    return this.prompt.test(this.transcript.currentLine);
  }

  /** Wall-clock seconds until the session gives up. */
  get secondsLeft(): number {
    return Math.max(0, this.deadline - this.options.now()) / 1000;
  }

  private secondsToWait(idleCycles: number): number {
    return Math.min(idleCycles / CYCLES_PER_SECOND, this.secondsLeft);
  }

  /** Looks for what is expected, and for a panic, in lines of which the last may be unfinished. */
  private watch(lines: string[]): void {
    for (const line of lines) {
      this.expectationMet ||= this.options.expect?.test(line) ?? false;
      // The first panic is the cause of later ones; what begins like it is the same line, longer.
      if (PANIC.test(line) && (this.panicLine === undefined || line.startsWith(this.panicLine))) {
        this.panicLine = line;
      }
    }
  }

  /** Counts the slices since a panic; says so in the first when a person decides what comes next. */
  private noticePanic(): string | undefined {
    if (this.panicLine === undefined) return undefined;
    // Until the kernel says so, these are a user program's words, or it is still printing them.
    if (this.panickedSlices === 0 && !this.kernelPanicked()) return undefined;
    this.panickedSlices++;
    if (!this.options.interactive || this.panickedSlices > 1) return undefined;
    return 'the guest panicked; Ctrl-A x ends the session';
  }

  /** Explains the traps that the guest tells of in these lines. */
  private explainTraps(lines: string[]): (string | undefined)[] {
    return lines.map((line) => {
      const [words, pc, value] = TRAP_REPORT.exec(line) ?? [];
      // What does not begin at the margin goes on from the line before.
      const title = /^\s/.test(line) ? `${this.lineBefore} ${line.trim()}` : line;
      this.lineBefore = line;
      if (words === undefined) return undefined;
      return this.options.explainTrap?.({ title, pc: Number(`0x${pc}`), value: BigInt(`0x${value}`) });
    });
  }

  private explain(stop: Stop): string | undefined {
    const isStuck = (stop.kind === 'stuck' || stop.kind === 'paused') && stop.message !== undefined;
    if (this.isExplained || !(isStuck || this.panickedSlices > 0)) return undefined;
    this.isExplained = true;
    return this.options.explainPanic?.(isStuck ? stop.message! : this.panicLine!);
  }

  /** Reads xv6's `panicked`, which `panic` sets once it has printed. A kernel without it is taken at its word. */
  private kernelPanicked(): boolean {
    const address = this.guest.symbols.address('panicked');
    const flag = address === undefined ? undefined : this.guest.readMemory(address, 4);
    return flag === undefined || flag.some((byte) => byte !== 0);
  }

  private endingOf(stop: Stop): Ending | undefined {
    switch (stop.kind) {
      case 'finished':
        // A process's exit code has eight bits; a failure must not become 0 by losing the others.
        if (stop.code !== 0) return { exitCode: Math.min(stop.code, 255), message: stop.message };
        return this.endedByGuest('ended');
      case 'reset':
        return { message: 'the guest reset the machine', ...this.endedByGuest('reset the machine') };
      case 'stuck':
        return { exitCode: EXIT.panicked, message: stop.message };
      default:
        return undefined;
    }
  }

  /** `what` the guest did, which is too early while there are commands to type. */
  private endedByGuest(what: string): Ending {
    if (this.commands.length === 0) return this.done();
    return { exitCode: EXIT.unexpected, message: `the guest ${what} before it took "${this.commands[0]}"` };
  }

  private endingOfPanic(asleep: boolean): Ending | undefined {
    if (this.options.interactive || this.panickedSlices === 0) return undefined;
    if (this.panickedSlices <= SLICES_AFTER_PANIC && !asleep) return undefined;
    return { exitCode: EXIT.panicked, message: `the guest panicked: ${this.panicLine}` };
  }

  private endingOfScript(quiet: boolean): Ending | undefined {
    const { commands, expect } = this.options;
    if (this.panickedSlices > 0) return undefined;
    if (commands.length === 0) return expect && this.expectationMet ? this.done() : undefined;
    return this.commands.length === 0 && quiet && this.atPrompt ? this.done() : undefined;
  }

  private endingOfTime(): Ending | undefined {
    if (this.options.now() < this.deadline) return undefined;
    return this.gaveUp(`timed out after ${this.options.timeoutSeconds} s`);
  }

  /** A guest that waits without a timer goes on only when someone types, and nobody may be left to. */
  private endingOfSleep(idleCycles: number): Ending | undefined {
    if (idleCycles !== Infinity || !this.inputEnded) return undefined;
    return this.gaveUp('every hart waits for an interrupt, and none can come');
  }

  private gaveUp(reason: string): Ending {
    const command = this.commands[0];
    const harts = Array.from({ length: this.options.harts }, (_, hart) => this.guest.describeHart(hart));
    const message = [
      reason + (command === undefined ? '' : `, with "${command}" still to be typed at a prompt`),
      `last output: ${this.transcript.lastLine.slice(-MAXIMUM_QUOTE_LENGTH) || '(none)'}`,
      ...harts,
    ];
    return { exitCode: EXIT.timeout, message: message.join('\n') };
  }

  private done(): Ending {
    const { expect } = this.options;
    if (!expect || this.expectationMet) return { exitCode: EXIT.done };
    return { exitCode: EXIT.unexpected, message: `no line of output matched ${expect}` };
  }

  /** Types the next command if the guest prompts for one. Returns whether it did. */
  private typeNextCommand(): boolean {
    if (this.commands.length === 0 || this.panickedSlices > 0 || !this.atPrompt) return false;
    this.guest.type(this.commands.shift() + '\n');
    this.transcript.startLine();
    return true;
  }
}
