/** `rvemu replay`: runs a recorded run again, and says whether it came out the same. */
import { resolve } from 'node:path';
import { chalkStderr } from 'chalk';
import { Backtracer } from '../debug/backtrace.js';
import { Places } from '../debug/places.js';
import { MemoryStore } from '../devices/block-store.js';
import { SECTOR_BYTES } from '../devices/device.js';
import { BadInputError } from '../machine/errors.js';
import { Machine } from '../machine/machine.js';
import { Checker } from '../xv6/checker.js';
import { TextReport } from './check-text.js';
import { FenceWatch } from './fence-watch.js';
import { readInputFile } from './input-file.js';
import { say } from './messages.js';
import { RecordedDisk } from './recorded-disk.js';
import { sha256 } from './recording-format.js';
import { decodeRecording, type Recording } from './recording-reader.js';
import { EXIT } from './session.js';
import { packageVersion } from './version.js';

export interface ReplayOptions {
  disk?: string;
  jit: boolean;
  trace?: string;
  userSymbols?: string[];
}

const EXIT_DIFFERENT = 1;
/** Of parts that differ, so many are named. */
const MAXIMUM_PARTS = 4;
/** What is run between two looks at the output. */
const SLICE_CYCLES = 1_000_000;

/** Replays and returns the process's exit code. Throws `BadInputError`. */
export async function replay(
  path: string,
  kernelPath: string | undefined,
  options: ReplayOptions,
): Promise<number> {
  const recording = decodeRecording(readInputFile('recording', path), path);
  const kernel = kernelOf(recording, kernelPath, path);
  const image = diskOf(recording, options.disk, path);
  const disk = image && new RecordedDisk(new MemoryStore(image));
  const printed: number[] = [];
  const machine = new Machine({
    ...recording.machine,
    kernel,
    disk,
    jit: options.jit,
    output: (byte) => printed.push(byte),
    warn: say,
  });
  if (options.trace !== undefined) {
    const { startTrace } = await import('./trace.js');
    startTrace(machine, kernel, kernelPath ?? recording.kernel.path, { ...options, trace: options.trace });
  }
  const finish = watch(machine, kernel, recording, kernelPath ?? recording.kernel.path);
  const print = (): void => void process.stdout.write(Uint8Array.from(printed.splice(0)));
  const divergence = run(machine, recording, print);
  finish();
  return verdict(machine, recording, divergence);
}

function kernelOf({ kernel }: Recording, named: string | undefined, path: string): Uint8Array {
  const file = readInputFile('kernel', named ?? kernel.path);
  if (sha256(file) === kernel.sha256) return file;
  throw new BadInputError(
    `kernel ${named ?? kernel.path} is not the one that was recorded: its SHA-256 begins with ${sha256(file).slice(0, 12)}, ` +
      `the recorded one's with ${kernel.sha256.slice(0, 12)}; name that one with "rvemu replay ${path} KERNEL"`,
  );
}

/** The disk as it was before the recorded run, whether or not that wrote to the file. */
function diskOf({ disk }: Recording, named: string | undefined, path: string): Uint8Array | undefined {
  if (disk === undefined) return undefined;
  const file = readInputFile('disk image', named ?? disk.path).slice();
  if (sha256(file) === disk.sha256) return file;
  for (const [sector, bytes] of disk.overwritten) {
    if ((sector + 1) * SECTOR_BYTES <= file.length) file.set(bytes, sector * SECTOR_BYTES);
  }
  if (sha256(file) === disk.sha256) return file;
  throw new BadInputError(
    `disk image ${named ?? disk.path} is not the one that was recorded, nor what the run made of it; ` +
      `name that one with "rvemu replay ${path} --disk IMAGE"`,
  );
}

/** Has the checker watch what it watched when it was recorded. Returns what is to be done at the end. */
function watch(machine: Machine, kernel: Uint8Array, recording: Recording, kernelPath: string): () => void {
  const { strictTlb } = recording.machine;
  if (recording.command === 'boot') {
    if (strictTlb) new FenceWatch(kernelPath).attach(machine, kernel);
    return () => {};
  }
  const tracer = new Backtracer(machine);
  const text = new TextReport(new Places(kernel), resolve(kernelPath), chalkStderr);
  const checker = new Checker(machine, kernel, {
    backtrace: (hart, atEntry) => tracer.of(hart, atEntry),
    onFinding: (finding) => process.stderr.write(`\n${text.finding(finding)}\n`),
    strictTlb,
  });
  return () => checker.searchLostFrames();
}

/** Returns, in words, at which of the inputs the run was first seen to be another one. */
function run(machine: Machine, { input, end }: Recording, print: () => void): string | undefined {
  let divergence: string | undefined;
  const runTo = (cycles: number): void => {
    while (machine.cycles < cycles && machine.moment.turn < 0) {
      machine.runTo({ completed: Math.min(cycles, machine.cycles + SLICE_CYCLES), turn: -1, steps: 0 });
      print();
    }
  };
  for (const { at, instructions, bytes } of input) {
    runTo(at);
    const executed = machine.instructionCount;
    if (executed !== instructions)
      divergence ??= `at cycle ${at}, when ${JSON.stringify(Buffer.from(bytes).toString())} is typed, ${executed} instructions were executed instead of ${instructions}`;
    machine.type(bytes);
  }
  runTo(end.moment.completed);
  machine.runTo(end.moment);
  print();
  return divergence;
}

function verdict(machine: Machine, { end, rvemu }: Recording, divergence: string | undefined): number {
  const now = machine.fingerprint();
  const names = [...new Set([...Object.keys(end.parts), ...now.keys()])];
  const differing = names.filter((name) => now.get(name) !== end.parts[name]);
  if (differing.length === 0) {
    say(
      `replayed ${end.instructions} instructions, the same to the bit; the run ended with exit code ${end.exitCode}`,
    );
    return EXIT.done;
  }
  const more = differing.length > MAXIMUM_PARTS ? ` and ${differing.length - MAXIMUM_PARTS} more` : '';
  const version = packageVersion() === rvemu ? '' : `; it was recorded by rvemu ${rvemu}`;
  const parts = differing.slice(0, MAXIMUM_PARTS).join(', ');
  const since = divergence ?? `after ${machine.instructionCount} instructions instead of ${end.instructions}`;
  say(`the run came out differently: ${since}; in the end other state in ${parts}${more}${version}`, 'error');
  return EXIT_DIFFERENT;
}
