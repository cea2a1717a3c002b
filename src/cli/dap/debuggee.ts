/** A guest that a debug adapter has started: its machine, its code, and the loop that runs it. */
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Code } from '../../debug/dap/code.js';
import { Debugger } from '../../debug/debugger.js';
import { History } from '../../debug/history/history.js';
import { OutputGate } from '../../debug/history/output-gate.js';
import { Programs } from '../../debug/programs.js';
import { RewindableStore } from '../../devices/rewindable-store.js';
import { BadInputError } from '../../machine/errors.js';
import { Machine } from '../../machine/machine.js';
import { Guest } from '../../xv6/guest.js';
import { openDisk } from '../boot.js';
import { findGuestFiles } from '../guest-files.js';
import { readInputFile } from '../input-file.js';
import { now } from '../now.js';
import { OutputBuffer } from '../output-buffer.js';
import { PanicWatch } from '../panic-watch.js';
import { type Ending, EXIT, Session } from '../session.js';
import { programAt, programsBeside } from '../user-programs.js';
import { Wakeup } from '../wakeup.js';
import type { LaunchArguments } from './launch-arguments.js';
import { SourceFiles } from './source-files.js';

export interface DebuggeeEvents {
  /** What the guest printed. */
  readonly onOutput: (text: string) => void;
  /** What rvemu has to say, in lines. */
  readonly onMessage: (text: string) => void;
}

export class Debuggee {
  readonly code: Code;
  readonly target: Debugger;
  readonly sources: SourceFiles;
  private readonly session: Session;
  private readonly panicWatch: PanicWatch;
  private readonly wakeup = new Wakeup();
  private readonly decoder = new TextDecoder();
  private isLeft = false;

  private constructor(
    readonly machine: Machine,
    parts: { code: Code; target: Debugger; sources: SourceFiles; session: Session; panicWatch: PanicWatch },
    private readonly close: () => void,
    private readonly events: DebuggeeEvents,
  ) {
    ({
      code: this.code,
      target: this.target,
      sources: this.sources,
      session: this.session,
      panicWatch: this.panicWatch,
    } = parts);
    this.target.onResume = () => this.wakeup.wake();
  }

  /** Puts it together; nothing of it runs yet. Throws BadInputError and BlockStoreError. */
  static async create(given: LaunchArguments, events: DebuggeeEvents): Promise<Debuggee> {
    const { harts, prompt, run: commands } = given;
    if (given.cwd !== undefined) {
      if (!existsSync(given.cwd)) throw new BadInputError(`cwd ${given.cwd}: no such directory`);
      process.chdir(given.cwd);
    }
    const files = findGuestFiles(given);
    const kernel = readInputFile('kernel', files.kernel);
    const named = given.userSymbols.map(programAt);
    const disk = await openDisk(files);
    const output = new OutputBuffer();
    const gate = new OutputGate(output.sink);
    const machine = new Machine({
      kernel,
      disk: disk.store && new RewindableStore(disk.store),
      harts,
      memoryBytes: given.memory,
      seed: given.seed,
      virtio: given.virtio,
      output: gate.sink,
      warn: events.onMessage,
    });
    const guest = new Guest(machine, kernel);
    const programs = new Programs(
      machine,
      [...named, ...programsBeside(files.kernel)],
      (hart) => guest.processOn(hart)?.name,
    );
    const history = given.history === 0 ? undefined : new History(machine, gate, given.history);
    const target = new Debugger(machine, history);
    target.halt();
    const session = new Session(target, output, {
      harts,
      commands,
      prompt,
      interactive: true,
      timeoutSeconds: Infinity,
      now,
    });
    const parts = {
      code: new Code(machine, kernel, programs),
      target,
      sources: new SourceFiles(files.kernel),
      session,
      panicWatch: new PanicWatch(machine, kernel, files.kernel),
    };
    return new Debuggee(machine, parts, () => disk.close(), events);
  }

  /** Runs it to its end. */
  async run(): Promise<Ending> {
    try {
      while (!this.isLeft) {
        const { output, ending, idleSeconds } = this.session.step();
        if (output.length > 0) this.events.onOutput(this.decoder.decode(output, { stream: true }));
        if (ending) return ending;
        if (idleSeconds > 0) await this.leaveAlone(idleSeconds);
        else await nextTurn();
      }
      return { exitCode: EXIT.done };
    } finally {
      this.close();
    }
  }

  /** Ends it. */
  leave(): void {
    this.isLeft = true;
    this.wakeup.wake();
  }

  type(text: string): void {
    this.session.type(new TextEncoder().encode(text));
    this.wakeup.wake();
  }

  /** Why the guest died, in lines. */
  explain(title: string): string {
    return this.panicWatch.explain(title);
  }

  private async leaveAlone(seconds: number): Promise<void> {
    const since = now();
    await this.wakeup.sleep(1000 * seconds);
    this.session.passIdle(Math.min(seconds, (now() - since) / 1000));
  }
}
