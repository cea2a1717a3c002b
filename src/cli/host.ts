/**
 * The host side of a session: runs it in turns with the process's stdin, stdout and signals. One loop does
 * everything; events only leave word for it and wake it.
 */
import type { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { say as print, outputsShareOnePlace } from './messages.js';
import { now } from './now.js';
import { EXIT, type Session } from './session.js';
import { ProgressLine } from './progress-line.js';
import { listenToSignals, SIGNALS } from './signals.js';
import { EscapeKeys, keyHelp, RawMode } from './terminal.js';
import { standardInput } from './standard-input.js';
import { Wakeup } from './wakeup.js';
import type { LogFile } from './log-file.js';

/** Stdin is left alone while so many typed bytes wait for the guest to read them. */
const MAXIMUM_PENDING_INPUT = 64 * 1024;

/** How long a reader that does not read can hold up the end of a process that was told to end. */
const LAST_WRITE_MILLIS = 1000;

const PARENT_CHECK_MILLIS = 100;

/** The signals that QEMU takes for a wish to end it, with exit code 0. */
const ENDS_QEMU: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];
const exitCodeOfSignal = (name: NodeJS.Signals) => 128 + constants.signals[name];

/** Whether a run ended with this exit code because the process was sent a signal. */
export const wasSignalled = (exitCode: number): boolean =>
  SIGNALS.some((name) => exitCodeOfSignal(name) === exitCode);

const NEWLINE = 0x0a;

/** What is written after a run, and read by nobody, is no reason to end. */
const ignore = (): void => {};

export interface HostOptions {
  /** Whether stdin is a terminal, to be handed to the guest. */
  hasTerminal: boolean;
  /** Whether keys, signals and the end of input mean what they mean to QEMU. */
  standsInForQemu: boolean;
  /** Whether stdout gets what the guest prints. */
  showsOutput: boolean;
  /** Whether standard error gets a trace: then the run ends when nobody reads that any more. */
  traces: boolean;
  log?: LogFile;
  /** Lines to be told as they come up. */
  news?: () => string[];
  /** How far the run is, in one line; shown on a terminal. */
  progress?: () => string;
  /** Looks for lost frames; returns a line about that. */
  search?: () => string;
  /** Lines for the end. */
  summary?: () => string;
}

export class Host {
  private readonly wakeup = new Wakeup();
  private readonly input = standardInput();
  private readonly messagesMeetOutput = outputsShareOnePlace();
  /** Set once somebody other than the session decided that it ends. */
  private exitCode: number | undefined;
  private lastByte = NEWLINE;
  /** Since when, in milliseconds, and for how long at most the guest has been left to wait. */
  private idle: { readonly since: number; readonly seconds: number } | undefined;

  private readonly progress: ProgressLine | undefined;
  private readonly forgets: (() => void)[] = [];

  constructor(
    private readonly session: Session,
    private readonly options: HostOptions,
  ) {
    const { progress, hasTerminal } = options;
    if (progress && process.stderr.isTTY && !hasTerminal)
      this.progress = new ProgressLine(process.stderr, progress, now);
  }

  /** Runs the session to its end and returns the process's exit code. */
  async run(): Promise<number> {
    const rawMode = this.options.hasTerminal && this.input ? new RawMode(this.input, process) : undefined;
    rawMode?.enter();
    this.listen();
    try {
      return await this.loop();
    } finally {
      await this.finishOutput();
      if (this.options.summary) this.show(this.options.summary());
      rawMode?.leave();
      this.stopListening();
      this.options.log?.close();
    }
  }

  private async loop(): Promise<number> {
    while (this.exitCode === undefined) {
      const { output, notice, explanation, ending, idleSeconds } = this.session.step();
      await this.write(output);
      for (const line of this.options.news?.() ?? []) this.say(line, 'error');
      if (explanation) this.show(explanation);
      if (notice) this.say(notice);
      if (ending) {
        if (ending.message) this.say(ending.message, ending.exitCode === EXIT.done ? 'notice' : 'error');
        return this.exitCode ?? ending.exitCode;
      }
      if (this.input?.isPaused() && this.session.pendingInput < MAXIMUM_PENDING_INPUT) this.input.resume();
      if (this.lastByte === NEWLINE) this.progress?.show();
      if (idleSeconds > 0) await this.leaveAlone(idleSeconds);
      else await nextTurn();
    }
    return this.exitCode;
  }

  private async leaveAlone(seconds: number): Promise<void> {
    this.idle = { since: now(), seconds };
    await this.wakeup.sleep(1000 * seconds);
    this.passIdle();
  }

  /** Lets the guest wait for as long as it was left alone. */
  private passIdle(): void {
    if (this.idle === undefined) return;
    const { since, seconds } = this.idle;
    this.idle = undefined;
    this.session.passIdle(Math.min(seconds, (now() - since) / 1000));
  }

  /** Whether nothing makes the process end now, other than that the session is over. */
  private get hasTime(): boolean {
    return this.exitCode === undefined && this.session.secondsLeft > 0;
  }

  /** Ends the run with this exit code. */
  leave(exitCode: number): void {
    this.exitCode ??= exitCode;
    this.wake();
  }

  /** Ends a wait for the guest: something has happened that it is not known to wait for. */
  wake(): void {
    this.wakeup.wake();
  }

  private exitCodeOf(name: NodeJS.Signals): number {
    return this.options.standsInForQemu && ENDS_QEMU.includes(name) ? EXIT.done : exitCodeOfSignal(name);
  }

  private on<Words extends unknown[]>(
    emitter: EventEmitter,
    event: string,
    listener: (...words: Words) => void,
  ): void {
    const untyped = listener as (...words: unknown[]) => void;
    emitter.on(event, untyped);
    this.forgets.push(() => emitter.off(event, untyped));
  }

  /** Another run may follow in this process, which has a machine of its own: nothing may hold on to this one. */
  private stopListening(): void {
    this.forgets.splice(0).forEach((forget) => forget());
    for (const stream of [process.stdout, process.stderr, this.input]) {
      if (stream && !stream.listeners('error').includes(ignore)) stream.on('error', ignore);
    }
  }

  private listen(): void {
    this.forgets.push(listenToSignals((name) => this.leave(this.exitCodeOf(name))));
    this.on(process.stdout, 'drain', () => this.wakeup.wake());
    this.on(process.stdout, 'error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return this.leave(exitCodeOfSignal('SIGPIPE'));
      // Each write that was under way fails for itself.
      if (this.exitCode === undefined) this.say(`cannot write the output: ${error.message}`, 'error');
      this.leave(EXIT.unusable);
    });
    // Nobody may be left to read what is said there; that is no reason to end, unless it is what the run is for.
    this.on(process.stderr, 'error', () => {
      if (this.options.traces) this.leave(exitCodeOfSignal('SIGPIPE'));
    });
    this.listenToNpx();
    this.listenToInput();
  }

  /**
   * npx starts its command through a shell, which hands no signal on: it ends and leaves its child running. So the end
   * of that shell is taken for the signal that npx was sent.
   */
  private listenToNpx(): void {
    if (process.env.npm_command !== 'exec') return;
    const parent = process.ppid;
    const look = (): void => {
      if (process.ppid !== parent) this.leave(this.exitCodeOf('SIGTERM'));
    };
    const timer = setInterval(look, PARENT_CHECK_MILLIS).unref();
    this.forgets.push(() => clearInterval(timer));
  }

  private listenToInput(): void {
    const { input } = this;
    const { hasTerminal, standsInForQemu, search } = this.options;
    const keys = new EscapeKeys({
      send: (bytes) => this.type(bytes),
      end: () => this.leave(EXIT.done),
      help: () => this.say(keyHelp(search !== undefined)),
      search: search && (() => this.say(search())),
    });
    const ended = () => {
      // A terminal ends when it is taken away.
      if (hasTerminal) return this.leave(exitCodeOfSignal('SIGHUP'));
      if (!standsInForQemu) this.session.endInput();
      this.wakeup.wake();
    };
    // What is typed at the terminal of a scripted run is not for the guest, and a run in the background may not read.
    if (!input || (input.isTTY && !hasTerminal)) return ended();
    const hasKeys = hasTerminal || standsInForQemu;
    // An earlier run of this process has heard of the end.
    if (input.readableEnded) return ended();
    this.on(input, 'data', (bytes: Buffer) => (hasKeys ? keys.take(bytes) : this.type(bytes)));
    this.on(input, 'end', ended);
    this.on(input, 'error', ended);
  }

  private type(bytes: Uint8Array): void {
    // First the time until now: with something typed, the guest does not wait any more.
    this.passIdle();
    this.session.type(bytes);
    if (this.session.pendingInput >= MAXIMUM_PENDING_INPUT) this.input?.pause();
    this.wakeup.wake();
  }

  /** Returns when stdout has taken the bytes, or the session is to end, or its time is up. */
  private async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.options.log?.write(bytes);
    if (!this.options.showsOutput) return;
    this.progress?.clear();
    this.lastByte = bytes[bytes.length - 1];
    process.stdout.write(bytes);
    while (process.stdout.writableNeedDrain && this.hasTime) {
      await this.wakeup.sleep(1000 * this.session.secondsLeft);
    }
  }

  /** Lines on standard error. */
  private show(text: string): void {
    this.makeRoom();
    process.stderr.write(text + '\n');
  }

  private say(message: string, kind?: 'error' | 'notice'): void {
    this.makeRoom();
    print(message, kind);
  }

  private makeRoom(): void {
    this.progress?.clear();
    if (this.messagesMeetOutput) this.finishLine();
  }

  /** The shell's prompt, or a message, does not go on in the guest's unfinished line. */
  private finishLine(): void {
    if (this.lastByte !== NEWLINE) process.stdout.write('\n');
    this.lastByte = NEWLINE;
  }

  private async finishOutput(): Promise<void> {
    this.progress?.clear();
    if (process.stdout.isTTY) this.finishLine();
    const written = new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
    await (this.hasTime ? written : Promise.race([written, delay(LAST_WRITE_MILLIS)]));
  }
}
