/** What `rvemu boot --stats` prints: what the machine has done, and what that took. */
import type { MachineStatistics } from '../machine/statistics.js';
import type { JitStatistics } from '../rv64/jit/meter.js';

const MEBIBYTE = 2 ** 20;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const share = (part: number, whole: number): string =>
  whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(2)} %`;
const mebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
const seconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`;

/** Lines for standard error; `millis` is what the run took by the host's clock. */
export function statisticsText(statistics: MachineStatistics, millis: number): string {
  const { instructions, translator, quickFills, fullWalks } = statistics;
  const speed = instructions / millis / 1000;
  const rows: [string, string][] = [
    ['instructions', `${count(instructions)} in ${seconds(millis)}: ${speed.toFixed(1)} MIPS`],
    ...(translator ? translatorRows(translator, instructions, millis) : [notTranslated]),
    ['TLB misses', `${count(quickFills)} filled quickly, ${count(fullWalks)} full walks`],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${label.padEnd(width)}  ${text}`).join('\n');
}

const notTranslated: [string, string] = ['interpreted', '100.00 %'];

function translatorRows(jit: JitStatistics, instructions: number, millis: number): [string, string][] {
  const { measured } = jit;
  const took = (part: number | undefined): string => (part === undefined ? '' : `, ${seconds(part)}`);
  const rest = measured && millis - measured.millis.running - measured.millis.translating;
  return [
    [
      '  translated',
      `${share(jit.instructions - jit.byRow, instructions)}${took(measured?.millis.running)} with those next`,
    ],
    ['  one by one, from translated code', share(jit.byRow, instructions)],
    [
      '  interpreted',
      `${share(instructions - jit.instructions, instructions)}${took(rest)} with devices and waiting`,
    ],
    [
      'translations',
      `${count(jit.translated)} made${took(measured?.millis.translating)}, ` +
        `${count(jit.reused)} reused by content, ${count(jit.dropped)} dropped`,
    ],
    ['code budget', `${mebibytes(jit.bytes)} of ${mebibytes(jit.budgetBytes)} used`],
    ...(measured ? measuredRows(measured, instructions) : []),
  ];
}

function measuredRows(
  { hits, idioms, idiomInstructions }: NonNullable<JitStatistics['measured']>,
  instructions: number,
): [string, string][] {
  const saved = `${count(idiomInstructions)} instructions, ${share(idiomInstructions, instructions)}`;
  return [
    ['idioms', `${count(idioms)} fills and copies taken, for ${saved}`],
    ['TLB hits', `${count(hits)} in translated code`],
  ];
}
