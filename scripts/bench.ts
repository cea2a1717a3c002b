/**
 * `npm run bench`: how fast rvemu is, and QEMU beside it where it is installed. Whole processes are measured by the wall
 * clock, the two in turn, and medians printed with what they are held against.
 *
 *     npm run bench                          the teaching kernel and the programs of images/bench
 *     XV6=dir npm run bench                  a built xv6-riscv tree, too
 *     npm run bench -- --profile             names the guest's functions in which time is spent, instead
 *     npm run bench -- --help                the other options
 */
import { Command, InvalidArgumentError } from 'commander';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { buildIfStale } from './bench/build.js';
import { FULL_PLAN, type Plan, QUICK_PLAN } from './bench/plan.js';
import { BenchError } from './bench/process.js';
import { DEFAULT_PROFILED, profile } from './bench/profile.js';
import { Measurements, type Row } from './bench/rows.js';
import { type Guest, qemuVersion, simulators, stockXv6, teachingKernel } from './bench/simulators.js';
import { formatTable } from './bench/table.js';

interface Options {
  runs?: number;
  quick?: boolean;
  long?: boolean;
  json?: string;
  profile?: string | true;
}

const options = new Command('bench')
  .description('Measures rvemu, and QEMU in turn with it. XV6=DIR names a built xv6-riscv tree.')
  .option('--runs <n>', 'measurements of which the median is taken (3; with --quick 1)', positiveInteger)
  .option('--quick', 'a few short rows: whether all works, not how fast')
  .option('--long', "xv6's usertests -q, too: minutes each")
  .option('--json <file>', 'write the rows to a file')
  .option('--profile [command]', `name the guest's functions that a shell command takes its time in`)
  .parse()
  .opts<Options>();

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('Write a number from 1 to 9999.');
  return Number(text);
}

const say = (text: string): boolean => process.stderr.write(`bench: ${text}\n`);

/** Shows what is going on in one line that is written over; only to a person. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, process.stderr.columns - 1)}`);
}

async function measure(plan: Plan, qemu: string | undefined): Promise<Row[]> {
  const measurements = new Measurements(plan, simulators(qemu !== undefined), progress);
  const rows: Row[] = [];
  try {
    for (const { title, measure } of measurements.sections()) {
      try {
        rows.push(...(await measure()));
      } catch (error) {
        if (!(error instanceof BenchError)) throw error;
        progress('');
        say(`${title}: ${error.message}`);
        process.exitCode = 1;
      }
    }
  } finally {
    progress('');
    measurements.close();
  }
  return rows;
}

async function bench(xv6: Guest | undefined): Promise<void> {
  const plan: Plan = {
    ...(options.quick ? QUICK_PLAN : FULL_PLAN),
    ...(options.runs && { runs: options.runs }),
    ...(options.long && {
      usertestsHarts: [3, 1],
      checked: { ...FULL_PLAN.checked, xv6: ['usertests -q'] },
    }),
    xv6,
  };
  if (options.long && xv6 === undefined)
    throw new BenchError('--long is about xv6: name a built tree with XV6=DIR');
  const qemu = qemuVersion();
  if (qemu === undefined) say('qemu-system-riscv64 is not installed: rvemu is measured alone');
  if (xv6 === undefined) say('XV6 names no built xv6 tree: only the teaching kernel is measured');

  const rows = await measure(plan, qemu);
  const host = `${cpus()[0]?.model ?? 'unknown processor'}, Node.js ${process.version}`;
  console.log(`${host}${qemu ? `, ${qemu}` : ''}; medians of ${plan.runs}`);
  console.log(formatTable(rows).join('\n'));
  if (options.json)
    writeFileSync(options.json, JSON.stringify({ host, qemu, runs: plan.runs, rows }, null, 2) + '\n');
}

try {
  const tree = process.env.XV6;
  const xv6 = tree ? stockXv6(tree) : undefined;
  buildIfStale();
  if (options.profile) {
    const guest = xv6 ?? teachingKernel;
    const lines =
      options.profile === true
        ? await profile({ ...guest, disk: teachingKernel.disk }, DEFAULT_PROFILED)
        : await profile(guest, options.profile);
    console.log(lines.join('\n'));
  } else {
    await bench(xv6);
  }
} catch (error) {
  if (!(error instanceof BenchError)) throw error;
  say(error.message);
  process.exitCode = 2;
}
