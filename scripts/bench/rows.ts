/** What is measured, as rows of a table. A section is measured as a whole: it gives its rows, or fails alone. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interpreterRun, readBareProgram, withRounds } from './bare-program.js';
import { CALLS, type Plan } from './plan.js';
import { BenchError, timeSession, timeToEnd } from './process.js';
import { type Guest, rvemuSession, type Simulator, teachingKernel } from './simulators.js';
import { geometricMean, inTurn, median } from './statistics.js';

export type Unit = 's' | 'calls/s' | 'million/s' | 'MB' | 'times';

/** What a row is held against: `least` and `aim` for what should be large, `most` and `aim` for what should be small. */
export type Goal =
  { readonly least: number; readonly aim?: number } | { readonly most: number; readonly aim?: number };

export interface Row {
  readonly work: string;
  readonly unit: Unit;
  readonly qemu?: number;
  readonly rvemu?: number;
  /** How many times faster than QEMU rvemu is. */
  readonly ratio?: number;
  readonly goal?: Goal;
  /** What the goal is about: the ratio, or what rvemu does where QEMU is not the measure. */
  readonly judged?: number;
}

const TIMEOUT_SECONDS = 300;
const USERTESTS_TIMEOUT_SECONDS = 3600;

/** One figure for each simulator; QEMU's is missing where it is not installed. */
interface Pair {
  readonly qemu?: number;
  readonly rvemu: number;
}

/** What rvemu is to reach: ratios to QEMU, and where they are judged by themselves the unit of the row. */
const GOAL = {
  usertests: (harts: number): Goal => (harts === 1 ? { least: 3, aim: 6 } : { least: 5, aim: 10 }),
  boot: { least: 2, aim: 4 },
  programs: { least: 1, aim: 3 },
  calls: { least: 2, aim: 5 },
  harts: { most: 1.3, aim: 1.1 },
  memory: { most: 400, aim: 250 },
  interpreter: { least: 10 },
  checker: { most: 2, aim: 1.5 },
} as const;

export class Measurements {
  private readonly folder = mkdtempSync(join(tmpdir(), 'rvemu-bench-'));
  private readonly peakMemoryBytes = new Map<Simulator['name'], number>();

  /** `progress` is told what is being measured. */
  constructor(
    private readonly plan: Plan,
    private readonly simulators: readonly Simulator[],
    private readonly progress: (text: string) => void,
  ) {}

  /** Deletes the copies that were made of disks and programs. */
  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** In the order of the table; the memory is the most that any of the others took, and comes last. */
  sections(): { title: string; measure: () => Promise<Row[]> }[] {
    const { xv6 } = this.plan;
    const guests = xv6 ? [xv6, teachingKernel] : [teachingKernel];
    return [
      ...this.plan.usertestsHarts.map((harts) => ({
        title: `usertests -q, ${describeHarts(harts)}`,
        measure: () => this.usertests(harts),
      })),
      { title: 'boot', measure: () => this.boots(guests) },
      { title: 'programs in machine mode', measure: () => this.barePrograms() },
      { title: 'programs in a user process', measure: () => this.userPrograms() },
      // Either kernel runs the programs on the project's own disk.
      ...guests.map((guest) => ({
        title: `calls, ${guest.name}`,
        measure: () => this.calls({ ...guest, disk: teachingKernel.disk }),
      })),
      { title: '3 harts against 1', measure: () => this.harts({ ...guests[0], disk: teachingKernel.disk }) },
      ...guests.map((guest) => ({ title: `checker, ${guest.name}`, measure: () => this.checker(guest) })),
      { title: 'interpreter', measure: () => this.interpreter() },
      { title: 'memory', measure: () => Promise.resolve(this.memory()) },
    ];
  }

  private async usertests(harts: number): Promise<Row[]> {
    const { xv6 } = this.plan;
    if (xv6 === undefined)
      throw new BenchError('usertests is a program of xv6: name a built tree with XV6=DIR');
    const { commands } = await this.sessions(xv6, harts, ['usertests -q'], {
      timeoutSeconds: USERTESTS_TIMEOUT_SECONDS,
    });
    return [
      compared(`usertests -q, ${xv6.name}, ${describeHarts(harts)}`, commands[0], GOAL.usertests(harts)),
    ];
  }

  private async boots(guests: readonly Guest[]): Promise<Row[]> {
    const rows: Row[] = [];
    for (const guest of guests) {
      for (const harts of this.plan.bootHarts) {
        const { boot } = await this.sessions(guest, harts, []);
        const work = `start to prompt, ${guest.name}, ${describeHarts(harts)}`;
        rows.push(compared(work, boot, GOAL.boot));
        const cache = await this.cacheOf(guest, harts);
        const again = await this.sessions(guest, harts, [], { cache });
        rows.push(compared(`${work}, not for the first time`, again.boot, GOAL.boot));
      }
    }
    return rows;
  }

  /** A folder with what rvemu keeps of a boot. */
  private async cacheOf(guest: Guest, harts: number): Promise<string> {
    const cache = mkdtempSync(join(this.folder, 'cache-'));
    const disk = join(this.folder, 'fs.img');
    copyFileSync(guest.disk, disk);
    const command = rvemuSession({ ...guest, disk }, harts, ['echo done'], 'boot');
    await timeToEnd({ ...command, cache }, TIMEOUT_SECONDS);
    return cache;
  }

  private async barePrograms(): Promise<Row[]> {
    const rows: Row[] = [];
    for (const { name, rounds } of this.plan.programs) {
      rows.push(compared(`${name}, machine mode`, await this.bareProgram(name, rounds)));
    }
    return [...rows, meanOf('programs in machine mode, geometric mean', rows)];
  }

  private async userPrograms(): Promise<Row[]> {
    const { programs } = this.plan;
    const lines = programs.map(
      ({ name, rounds }) => `bench ${name}${rounds === undefined ? '' : ` ${rounds}`}`,
    );
    const { commands } = await this.sessions(teachingKernel, 1, lines);
    const rows = programs.map(({ name }, index) => compared(`${name}, user process`, commands[index]));
    return [...rows, meanOf('programs in a user process, geometric mean', rows)];
  }

  private async calls(guest: Guest): Promise<Row[]> {
    const { calls } = this.plan;
    const lines = calls.map(({ name, count }) => `calls ${name} ${count}`);
    const { commands } = await this.sessions(guest, 1, lines);
    return calls.map(({ name, count }, index) => ({
      ...compared(`${CALLS[name]}, ${guest.name}`, commands[index], GOAL.calls),
      unit: 'calls/s',
      qemu: quotient(count, commands[index].qemu),
      rvemu: quotient(count, commands[index].rvemu),
    }));
  }

  /** Work of one process, and what becomes of its time when two more harts have nothing to do. */
  private async harts(guest: Guest): Promise<Row[]> {
    const [program] = this.plan.programs.slice(-1);
    const rounds = program.rounds === undefined ? '' : ` ${program.rounds}`;
    const calls = this.plan.calls.filter(({ name }) => name === 'syscall' || name === 'file');
    const lines = [
      `bench ${program.name}${rounds}`,
      ...calls.map(({ name, count }) => `calls ${name} ${count}`),
    ];
    const one = await this.sessions(guest, 1, lines);
    const three = await this.sessions(guest, 3, lines);
    const slowdown = (of: 'qemu' | 'rvemu'): number | undefined => {
      const ratios = lines.map((_, index) => quotient(three.commands[index][of], one.commands[index][of]));
      return mean(ratios);
    };
    const rvemu = slowdown('rvemu');
    const work = `3 harts' time against 1, work for one, ${guest.name}`;
    return [{ work, unit: 'times', qemu: slowdown('qemu'), rvemu, judged: rvemu, goal: GOAL.harts }];
  }

  private async interpreter(): Promise<Row[]> {
    const { programs, rounds, qemuRounds } = this.plan.interpreter;
    const rows: Row[] = [];
    for (const name of programs) {
      this.progress(`${name}, interpreter alone`);
      const { instructions, seconds } = await interpreterRun(withRounds(readBareProgram(name), rounds));
      const inQemu = (instructions / rounds) * qemuRounds;
      const qemuSeconds = await this.qemuSeconds(name, qemuRounds);
      const rvemu = instructions / seconds / 1e6;
      rows.push({
        work: `instructions of ${name}, interpreter alone`,
        unit: 'million/s',
        qemu: quotient(inQemu / 1e6, qemuSeconds),
        rvemu,
        judged: rvemu,
        goal: GOAL.interpreter,
      });
    }
    return rows;
  }

  /** What the checker costs, in processor time: other work on the host disturbs that least. */
  private async checker(guest: Guest): Promise<Row[]> {
    const commands = this.plan.checked[guest === teachingKernel ? 'teachingKernel' : 'xv6'];
    const disk = join(this.folder, 'fs.img');
    const run = (checks: boolean) => async (): Promise<number> => {
      this.progress(`${guest.name}, ${checks ? 'checked' : 'not checked'}: ${commands.join(', ')}`);
      copyFileSync(guest.disk, disk);
      const command = rvemuSession({ ...guest, disk }, 1, commands, checks ? 'check' : 'boot');
      const { processorSeconds } = await timeSession(command, commands, true, USERTESTS_TIMEOUT_SECONDS);
      if (processorSeconds === undefined) throw new BenchError('this host has no /proc to read it from');
      return processorSeconds;
    };
    const [plain, checked] = (await inTurn(this.plan.runs, [run(false), run(true)])).map(median);
    const ratio = checked / plain;
    const work = `processor time under check, ${guest.name}: ${commands.join(', ').replaceAll('usertests ', '')}`;
    return [{ work, unit: 'times', rvemu: ratio, judged: ratio, goal: GOAL.checker }];
  }

  private memory(): Row[] {
    const megabytes = (name: Simulator['name']): number | undefined => {
      return quotient(this.peakMemoryBytes.get(name), 1e6);
    };
    const rvemu = megabytes('rvemu');
    if (rvemu === undefined) throw new BenchError('this host has no /proc to read it from');
    const work = 'resident memory, 128 MiB guest, the most of all above';
    return [{ work, unit: 'MB', qemu: megabytes('QEMU'), rvemu, judged: rvemu, goal: GOAL.memory }];
  }

  /** Seconds that a program takes on the bare machine, from the start of the simulator to its end. */
  private async bareProgram(name: string, rounds?: number): Promise<Pair> {
    const elf = this.copyOfBareProgram(name, rounds);
    const times = await this.inTurn(`${name}, machine mode`, (simulator) =>
      timeToEnd(simulator.bare(elf), TIMEOUT_SECONDS),
    );
    return medians(times, (seconds) => seconds);
  }

  /** The same for QEMU only; undefined where it is not installed. */
  private async qemuSeconds(name: string, rounds: number): Promise<number | undefined> {
    const qemu = this.simulators.find((simulator) => simulator.name === 'QEMU');
    if (qemu === undefined) return undefined;
    const elf = this.copyOfBareProgram(name, rounds);
    const [times] = await inTurn(this.plan.runs, [() => timeToEnd(qemu.bare(elf), TIMEOUT_SECONDS)]);
    return median(times);
  }

  private copyOfBareProgram(name: string, rounds: number | undefined): string {
    const file = readBareProgram(name);
    const path = join(this.folder, `${name}.elf`);
    writeFileSync(path, rounds === undefined ? file : withRounds(file, rounds));
    return path;
  }

  /** Boots on a fresh copy of the guest's disk and runs the commands at its prompts. */
  private async sessions(
    guest: Guest,
    harts: number,
    commands: readonly string[],
    { timeoutSeconds = TIMEOUT_SECONDS, cache }: { timeoutSeconds?: number; cache?: string } = {},
  ): Promise<{ boot: Pair; commands: Pair[] }> {
    const disk = join(this.folder, 'fs.img');
    const title = `${guest.name}, ${describeHarts(harts)}: ${commands.join(', ') || 'boot'}`;
    const times = await this.inTurn(title, async (simulator) => {
      copyFileSync(guest.disk, disk);
      const command = { ...simulator.boot({ ...guest, disk }, harts, commands), cache };
      const seen = await timeSession(command, commands, simulator.typesItself, timeoutSeconds);
      this.notePeakMemory(simulator.name, seen.memoryBytes);
      return seen;
    });
    return {
      boot: medians(times, ({ boot }) => boot),
      commands: commands.map((_, index) => medians(times, (seen) => seen.commands[index])),
    };
  }

  private notePeakMemory(name: Simulator['name'], bytes: number | undefined): void {
    if (bytes === undefined) return;
    this.peakMemoryBytes.set(name, Math.max(bytes, this.peakMemoryBytes.get(name) ?? 0));
  }

  private async inTurn<T>(
    title: string,
    measure: (simulator: Simulator) => Promise<T>,
  ): Promise<Measured<T>> {
    const measured = await inTurn(
      this.plan.runs,
      this.simulators.map((simulator) => () => {
        this.progress(`${simulator.name}: ${title}`);
        return measure(simulator);
      }),
    );
    return Object.fromEntries(this.simulators.map(({ name }, index) => [name, measured[index]]));
  }
}

type Measured<T> = { readonly [Name in Simulator['name']]?: T[] };

const medians = <T>({ QEMU, rvemu }: Measured<T>, figure: (measured: T) => number): Pair => ({
  qemu: QEMU && median(QEMU.map(figure)),
  rvemu: median(rvemu!.map(figure)),
});

/** A row of two times. */
const compared = (work: string, { qemu, rvemu }: Pair, goal?: Goal): Row => {
  const ratio = quotient(qemu, rvemu);
  return { work, unit: 's', qemu, rvemu, ratio, judged: ratio, goal };
};

const quotient = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b;

/** The geometric mean of those figures that there are. */
function mean(figures: readonly (number | undefined)[]): number | undefined {
  const known = figures.filter((figure) => figure !== undefined);
  return known.length > 0 ? geometricMean(known) : undefined;
}

/** The geometric mean of the ratios of other rows. */
function meanOf(work: string, rows: readonly Row[]): Row {
  const ratio = mean(rows.map((row) => row.ratio));
  return { work, unit: 's', ratio, judged: ratio, goal: GOAL.programs };
}

const describeHarts = (harts: number): string => (harts === 1 ? '1 hart' : `${harts} harts`);
