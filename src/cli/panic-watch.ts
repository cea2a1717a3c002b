/** Explains what a guest died of, or a program in it. Until then it costs nothing: what an explanation needs is put together then. */
import { Chalk, chalkStderr } from 'chalk';
import { Backtracer } from '../debug/backtrace.js';
import { Places } from '../debug/places.js';
import type { ProgramFile } from '../debug/programs.js';
import { PostMortem } from '../debug/post-mortem.js';
import { type UserFault, UserFaults } from '../debug/user-faults.js';
import { BadInputError } from '../machine/errors.js';
import type { Machine } from '../machine/machine.js';
import { Guest } from '../xv6/guest.js';
import { TextReport } from './check-text.js';
import { describeFault, type FaultWitnesses } from './fault-text.js';
import { explainPanic } from './panic-text.js';
import type { TrapReport } from './session.js';

/** Programs whose end is explained; tests of a kernel end many. */
const MOST_TRAPS = 5;

export interface PanicWatchOptions {
  /** What is known of a frame's past. */
  readonly historyOf?: FaultWitnesses['historyOf'];
  /** The user programs that there are files of; asked when one was killed. */
  readonly programs?: () => readonly ProgramFile[];
}

export class PanicWatch {
  private readonly postMortem: PostMortem;
  private readonly userFaults: UserFaults;
  /** Where programs trapped whose end has been explained. */
  private readonly explained = new Set<number>();
  private programs: { readonly name: string; readonly places: Places }[] | undefined;

  /** `machine` has not run yet; `kernel` is the file at `kernelPath` that it runs. */
  constructor(
    private readonly machine: Machine,
    private readonly kernel: Uint8Array,
    private readonly kernelPath: string,
    private readonly options: PanicWatchOptions = {},
  ) {
    this.postMortem = new PostMortem(machine, new Backtracer(machine));
    this.userFaults = new UserFaults(machine);
  }

  /** The explanation of the guest's end, in lines; `title` is what the guest said, or what became of it. */
  explain(title: string): string {
    const guest = new Guest(this.machine, this.kernel);
    return explainPanic(this.machine, this.postMortem, title, {
      ...this.witnesses(new Places(this.kernel)),
      processOn: (hart) => guest.processOn(hart),
    });
  }

  /**
   * Why the kernel killed a program, in lines. Undefined where it was not for a trap of a program's, or for one at a place
   * that has been explained, or there were too many.
   */
  explainTrap({ title, pc, value }: TrapReport): string | undefined {
    const fault = this.userFaults.find(pc, value);
    if (fault === undefined || this.explained.has(pc) || this.explained.size === MOST_TRAPS) return undefined;
    this.explained.add(pc);
    const program = this.programOf(fault);
    const witnesses = this.witnesses(program?.places ?? new Places(this.kernel));
    const name = program ? `the trap in ${program.name}` : 'the trap';
    const lines = [witnesses.colour.bold(`why: ${title}`), ...describeFault(name, fault, witnesses)];
    if (program === undefined) lines.push('  --user-symbols FILE names the line, if FILE is the program');
    if (this.explained.size === MOST_TRAPS) lines.push('  (traps of programs are not explained any more)');
    return lines.join('\n');
  }

  private programOf({ code }: UserFault) {
    this.programs ??= (this.options.programs?.() ?? []).flatMap(readable);
    return this.programs.find(({ places }) => places.hasCode(code.address, code.bytes));
  }

  private witnesses(places: Places): FaultWitnesses {
    const colour = process.env.NO_COLOR ? new Chalk({ level: 0 }) : chalkStderr;
    const text = new TextReport(places, this.kernelPath, colour);
    return { places, text, colour, historyOf: this.options.historyOf ?? (() => []) };
  }
}

/** A program's places; nothing for a file that is none, as a build leaves one that failed. */
function readable({ name, contents }: ProgramFile): { readonly name: string; readonly places: Places }[] {
  try {
    return [{ name, places: new Places(contents) }];
  } catch (error) {
    if (error instanceof BadInputError) return [];
    throw error;
  }
}
