/** `rvemu pagetable`: runs a kernel up to a moment, and prints or compares the page table that it then has. */
import { writeFileSync } from 'node:fs';
import type { Machine } from '../machine/machine.js';
import { BadInputError } from '../machine/errors.js';
import { Capture } from '../xv6/pagetable/capture.js';
import { compare } from '../xv6/pagetable/diff.js';
import type { Dump } from '../xv6/pagetable/dump.js';
import { asJson, differencesAsJson, readDump } from '../xv6/pagetable/json.js';
import { modelOf } from '../xv6/pagetable/model.js';
import { asSvg, differencesAsSvg } from '../xv6/pagetable/svg.js';
import { asText, differencesAsText } from '../xv6/pagetable/text.js';
import { boot } from './boot.js';
import type { BootOptions } from './boot-options.js';
import type { Spectator } from './spectator.js';
import { findGuestFiles } from './guest-files.js';
import { readInputFile, unusableFile } from './input-file.js';
import { say } from './messages.js';
import { EXIT } from './session.js';

export interface PageTableOptions extends Omit<BootOptions, 'run' | 'expect' | 'ephemeral'> {
  at?: string;
  after?: string[];
  process?: string;
  format: 'text' | 'json' | 'svg';
  output?: string;
}

const EXIT_DIFFERENT = 1;
const ELF_MAGIC = '\x7fELF';
/** In place of a file: the table that the model makes for the other kernel. */
const MODEL = 'model';

const DUMPS = { text: asText, json: asJson, svg: asSvg };
const DIFFERENCES = { text: differencesAsText, json: differencesAsJson, svg: differencesAsSvg };

/** A page table that is not there, for a run that ended otherwise. */
class NoDump extends Error {
  constructor(readonly exitCode: number) {
    super();
  }
}

/** Prints a kernel's table and returns the process's exit code. Throws `BadInputError` and `BlockStoreError`. */
export function dumpPageTable(kernel: string | undefined, options: PageTableOptions): Promise<number> {
  return unlessItEnds(async () => {
    write(DUMPS[options.format]((await run(kernel, options)).result()), options);
    return EXIT.done;
  });
}

/** Compares two tables, of a kernel, a dump or the model, and returns 1 when they differ. */
export function diffPageTables(
  first: string,
  second: string | undefined,
  options: PageTableOptions,
): Promise<number> {
  return unlessItEnds(async () => {
    const after = second ?? findGuestFiles({}).kernel;
    const [a, b] = await bothOf(first, after, options);
    const differences = compare(a, b);
    write(DIFFERENCES[options.format](differences, first, after, b), options);
    return differences.length > 0 ? EXIT_DIFFERENT : EXIT.done;
  });
}

async function unlessItEnds(action: () => Promise<number>): Promise<number> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof NoDump) return error.exitCode;
    throw error;
  }
}

async function bothOf(first: string, second: string, options: PageTableOptions): Promise<[Dump, Dump]> {
  if (first !== MODEL && second !== MODEL)
    return [await dumpOf(first, options), await dumpOf(second, options)];
  const kernel = first === MODEL ? second : first;
  if (kernel === MODEL || !isKernel(kernel))
    throw new BadInputError(`the model's table is made for a kernel; ${kernel} is none`);
  if (options.process !== undefined)
    throw new BadInputError('the model has the table of the kernel only; leave --process away');
  const capture = await run(kernel, options);
  const real = capture.result();
  const model = modelOf(capture.guest, capture.names, real);
  return first === MODEL ? [model, real] : [real, model];
}

async function dumpOf(path: string, options: PageTableOptions): Promise<Dump> {
  if (isKernel(path)) return (await run(path, options)).result();
  return readDump(new TextDecoder().decode(readInputFile('page table', path)), path);
}

const isKernel = (path: string): boolean =>
  new TextDecoder('latin1').decode(readInputFile('page table', path).subarray(0, 4)) === ELF_MAGIC;

/** Runs a kernel, with the disk left as it is, until the moment has come. */
async function run(kernel: string | undefined, options: PageTableOptions): Promise<Capture> {
  const { at, after = [], process } = options;
  const moment = { symbol: at, process, atFirst: after.length === 0 };
  let capture: Capture | undefined;
  const spectator: Spectator = {
    showsOutput: false,
    attach: (machine: Machine, image: Uint8Array) => (capture = new Capture(machine, image, moment)),
    ending: () => (capture!.isDone ? { exitCode: EXIT.done } : undefined),
  };
  // Without commands it is over at the first prompt.
  const expect = after.length === 0 ? options.prompt : undefined;
  const exitCode = await boot(kernel, { ...options, run: after, expect, ephemeral: true }, spectator);
  if (exitCode !== EXIT.done && !capture!.isDone) {
    if (exitCode === EXIT.panicked && at === undefined) say('"--at panic" takes the table as it was then');
    throw new NoDump(exitCode);
  }
  return capture!;
}

function write(text: string, { output }: PageTableOptions): void {
  if (output === undefined) return void process.stdout.write(text);
  try {
    writeFileSync(output, text);
  } catch (error) {
    throw unusableFile('page table', output, error);
  }
}
