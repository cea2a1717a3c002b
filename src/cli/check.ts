/** `rvemu check`: boots like `boot`, with the checker watching, and reports what it found. */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Chalk, chalkStderr } from 'chalk';
import { Backtracer } from '../debug/backtrace.js';
import { Places } from '../debug/places.js';
import { CYCLES_PER_SECOND } from '../machine/clock.js';
import { BadInputError } from '../machine/errors.js';
import type { Machine } from '../machine/machine.js';
import { Checker } from '../xv6/checker.js';
import type { Finding } from '../xv6/finding.js';
import { isRule, type RuleId, RULES } from '../xv6/rules.js';
import { bootFiles } from './boot.js';
import type { BootOptions } from './boot-options.js';
import type { Spectator } from './spectator.js';
import type { CheckedRun, CheckReport, FORMATS } from './check-formats.js';
import { TextReport } from './check-text.js';
import { noSuchRule } from './explain.js';
import { findGuestFiles } from './guest-files.js';
import { wasSignalled } from './host.js';
import { readInputFile, unusableFile } from './input-file.js';
import { DEFAULT_PROMPT } from './options.js';
import { say } from './messages.js';
import { Recorder } from './recorder.js';
import { EXIT } from './session.js';

export interface CheckOptions extends Omit<BootOptions, 'record'> {
  format: 'text' | keyof typeof FORMATS;
  output?: string;
  rules?: string[];
  ignore?: string[];
  untilFirst?: boolean;
  seeds?: readonly [number, number];
  /** A file, or `false` for none; without it only a run that fails is recorded. */
  record?: string | false;
}

const EXIT_FINDINGS = 1;

/** Where a run that fails is recorded, unless the user says otherwise. */
const DEFAULT_RECORDING = 'check.rvemu';

/** Checks, reports and returns the process's exit code. Throws `BadInputError` and `BlockStoreError`. */
export async function check(
  kernel: string | undefined,
  options: CheckOptions,
  version: string,
): Promise<number> {
  const isEnabled = ruleFilter(options);
  if (options.seeds && !options.run && !options.expect) {
    throw new BadInputError('--seeds needs --run or --expect: each run has to end by itself');
  }
  // Before a run that may be long, and for nothing.
  if (options.output !== undefined) writeReport(options.output, '', 'a');
  const [first, last] = options.seeds ?? [options.seed ?? 0, options.seed ?? 0];
  const runs: CheckedRun[] = [];
  const files = findGuestFiles({ ...options, kernel });
  let isRecorded = options.record === false;
  for (let seed = first; seed <= last; seed++) {
    const recorder = isRecorded || options.gdb !== undefined ? undefined : new Recorder('check');
    const run = await checkOnce(kernel, { ...options, seed }, isEnabled, recorder);
    runs.push(run);
    if (options.seeds) sayResult(run);
    const hasFailed = run.findings.length > 0 || run.exitCode !== EXIT.done;
    if (recorder && (hasFailed || (options.record && seed === last))) {
      record(recorder, recordingOf(options), run);
      isRecorded = true;
    }
    if (wasSignalled(run.exitCode)) break;
  }
  await write({ kernel: files.kernel, version, runs }, options);
  const { exitCode } = runs.at(-1)!;
  if (wasSignalled(exitCode)) return exitCode;
  if (runs.some((run) => run.findings.length > 0)) return EXIT_FINDINGS;
  return runs.find((run) => run.exitCode !== EXIT.done)?.exitCode ?? EXIT.done;
}

const recordingOf = ({ record }: CheckOptions): string => record || DEFAULT_RECORDING;

function record(recorder: Recorder, path: string, { seed, exitCode }: CheckedRun): void {
  recorder.write(path, exitCode);
  say(`the run with seed ${seed} is recorded; "rvemu replay ${path}" runs it again`);
}

/** Which rules are reported. Throws BadInputError for a name that no rule has. */
function ruleFilter({ rules, ignore = [] }: CheckOptions): (rule: RuleId) => boolean {
  const unknown = [...(rules ?? []), ...ignore].find((name) => !isRule(name));
  if (unknown !== undefined) throw noSuchRule(unknown);
  return (rule) => (rules === undefined || rules.includes(rule)) && !ignore.includes(rule);
}

async function checkOnce(
  kernel: string | undefined,
  options: CheckOptions & { seed: number },
  isEnabled: (rule: RuleId) => boolean,
  recorder: Recorder | undefined,
): Promise<CheckedRun> {
  let checker: Checker | undefined;
  let machine: Machine | undefined;
  const news: Finding[] = [];
  const spectator: Spectator = {
    showsOutput: options.seeds === undefined && (options.format === 'text' || options.output !== undefined),
    attach: (watched: Machine, image: Uint8Array) => {
      machine = watched;
      const tracer = new Backtracer(watched);
      checker = new Checker(watched, image, {
        backtrace: (hart, atEntry) => tracer.of(hart, atEntry),
        isEnabled,
        strictTlb: options.strictTlb,
        onFinding: (finding) => news.push(finding),
      });
    },
    news: () => (options.seeds ? [] : news.splice(0).map(inOneLine)),
    progress: () => progressOf(machine!, checker!, options),
    search: () => searchLostFrames(checker!),
    historyOf: (physical) => checker!.historyOf(physical),
    ending: () =>
      options.untilFirst && checker!.findings.length > 0 ? { exitCode: EXIT_FINDINGS } : undefined,
  };
  // With many runs, each begins with the same disk.
  const ephemeral = options.ephemeral || options.seeds !== undefined;
  const files = findGuestFiles({ ...options, ephemeral, kernel });
  const exitCode = await bootFiles(files, { ...options, record: undefined }, spectator, recorder);
  checker!.searchLostFrames();
  const { findings, notChecked } = checker!;
  // What was typed is in the recording alone.
  const isTyped = options.run === undefined && options.expect === undefined && recorder !== undefined;
  const reproduce = isTyped ? `rvemu replay ${recordingOf(options)}` : commandFor(kernel, options);
  return { seed: options.seed, exitCode, findings, notChecked, reproduce };
}

/** The findings themselves are told as news. */
function searchLostFrames(checker: Checker): string {
  const before = checker.findings.length;
  checker.searchLostFrames();
  const places = checker.findings.length - before;
  if (places === 0) return 'no frame has been lost since the last search';
  return `frames are lost that were allocated at ${places} ${places === 1 ? 'place' : 'places'}`;
}

/** While the run goes on; the report comes at its end. */
const inOneLine = ({ rule, message }: Finding): string => `${RULES[rule].severity}[${rule}]: ${message}`;

function progressOf(machine: Machine, checker: Checker, { seed, seeds }: CheckOptions): string {
  const instructions = machine.harts.reduce((sum, hart) => sum + Number(hart.instret), 0);
  const seconds = machine.cycles / CYCLES_PER_SECOND;
  const count = checker.findings.length;
  return (
    (seeds ? `seed ${seed}: ` : '') +
    `${(instructions / 1e6).toFixed(0)} million instructions, ${seconds.toFixed(1)} s of virtual time, ` +
    `${count} ${count === 1 ? 'finding' : 'findings'}`
  );
}

/** The shortest command that makes the same run. */
function commandFor(kernel: string | undefined, options: CheckOptions & { seed: number }): string {
  const quote = (text: string): string =>
    /^[\w./=:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  const words = ['rvemu', 'check', ...(kernel === undefined ? [] : [kernel])];
  if (options.disk !== undefined) words.push('--disk', options.disk);
  words.push(
    '--smp',
    String(options.smp),
    '--memory',
    String(options.memory),
    '--seed',
    String(options.seed),
  );
  if (options.strictTlb) words.push('--strict-tlb');
  if (options.virtio !== 'auto') words.push('--virtio', options.virtio);
  // Each run of many begins with the disk as it is, and leaves it so.
  if (options.ephemeral || options.seeds) words.push('--ephemeral');
  if (options.prompt.source !== DEFAULT_PROMPT) words.push('--prompt', options.prompt.source);
  for (const command of options.run ?? []) words.push('--run', command);
  if (options.expect) words.push('--expect', options.expect.source);
  return words.map(quote).join(' ');
}

function sayResult({ seed, findings, exitCode }: CheckedRun): void {
  const rules = [...new Set(findings.map((finding) => finding.rule))].join(', ');
  if (rules) say(`seed ${seed}: ${rules}`, 'error');
  else say(`seed ${seed}: ${exitCode === EXIT.done ? 'clean' : `no findings, exit code ${exitCode}`}`);
}

async function write(report: CheckReport, options: CheckOptions): Promise<void> {
  const places = new Places(readInputFile('kernel', report.kernel));
  const toFile = options.output !== undefined;
  const text =
    options.format === 'text'
      ? asText(report, places, toFile)
      : (await import('./check-formats.js')).FORMATS[options.format](report, places);
  if (!toFile) return void (options.format === 'text' ? process.stderr : process.stdout).write(text);
  writeReport(options.output!, text);
}

function writeReport(path: string, text: string, how: 'w' | 'a' = 'w'): void {
  try {
    writeFileSync(path, text, { flag: how });
  } catch (error) {
    throw unusableFile('report', path, error);
  }
}

function asText({ kernel, runs }: CheckReport, places: Places, toFile: boolean): string {
  const plain = toFile || Boolean(process.env.NO_COLOR);
  const text = new TextReport(places, kernel, plain ? new Chalk({ level: 0 }) : chalkStderr);
  const blocks = runs.flatMap((run) =>
    run.findings.map((finding) => text.finding(finding, run.reproduce) + '\n'),
  );
  const unchecked = [...new Set(runs.flatMap((run) => run.notChecked))];
  const lines = [...unchecked.map((what) => `not checked: ${what}`), summary(kernel, runs)];
  return '\n' + blocks.map((block) => block + '\n').join('') + lines.join('\n') + '\n';
}

function summary(kernel: string, runs: readonly CheckedRun[]): string {
  const count = runs.reduce((sum, run) => sum + run.findings.length, 0);
  const findings = count === 0 ? 'no findings' : `${count} ${count === 1 ? 'finding' : 'findings'}`;
  const name = basename(kernel);
  if (runs.length === 1) return `${name}: ${findings}`;
  const seedsOf = (some: readonly CheckedRun[]): string => some.map(({ seed }) => seed).join(', ');
  const failed = runs.filter((run) => run.findings.length > 0);
  const otherwise = runs.filter((run) => run.findings.length === 0 && run.exitCode !== EXIT.done);
  const where =
    count === 0
      ? ` in ${runs.length} seeds`
      : `, in ${failed.length} of ${runs.length} seeds: ${seedsOf(failed)}`;
  const others = otherwise.length === 0 ? '' : `; without a finding, these fail: ${seedsOf(otherwise)}`;
  return `${name}: ${findings}${where}${others}`;
}
