/** Findings as text for people, in the manner of a compiler's errors. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ChalkInstance } from 'chalk';
import type { Place, Places } from '../debug/places.js';
import { describePoison } from '../debug/poison.js';
import type { Event, Finding } from '../xv6/finding.js';
import { indexOf, SV39 } from '../xv6/model/page-table.js';
import { RULES } from '../xv6/rules.js';
import { describeEntry } from '../xv6/table-rules.js';

const hex = (value: number | bigint): string => '0x' + value.toString(16);

/** Calls shown of a backtrace. */
const MAXIMUM_CALLS = 8;

export class TextReport {
  private readonly sources = new Map<string, string[] | undefined>();

  /** Source files are looked for in the working directory and in the tree that `kernelPath` lies in. */
  constructor(
    private readonly places: Places,
    private readonly kernelPath: string,
    private readonly colour: ChalkInstance,
  ) {}

  /** One finding in several lines; `reproduce` is the command that shows it again, if any is to be named. */
  finding(finding: Finding, reproduce?: string): string {
    const { colour } = this;
    const { rule, message, event, count } = finding;
    const { severity } = RULES[rule];
    const label = severity === 'error' ? colour.red.bold : colour.yellow.bold;
    const [first, ...callers] = this.places.ofStack(event.stack);
    const times = count > 1 ? colour.dim(` (and ${count - 1} more like it)`) : '';
    return [
      `${label(`${severity}[${rule}]`)}${colour.bold(`: ${message}`)}${times}`,
      ...this.source(first),
      ...callers.slice(0, MAXIMUM_CALLS).map((place) => `  called from ${where(place)}`),
      `  ${who(event)}${finding.root === undefined ? '' : `, root table ${hex(finding.root)}`}`,
      ...this.translation(finding),
      ...(finding.history ?? []).flatMap(({ what, event: earlier }) => this.history(what, earlier)),
      ...(reproduce === undefined ? [] : [`  ${colour.dim(`reproduce: ${reproduce}`)}`]),
      `  ${colour.dim(`explain:   rvemu explain ${rule}`)}`,
    ].join('\n');
  }

  /** Where something happened; and the line itself, where the source tree is there. */
  source(place: Place): string[] {
    const { colour } = this;
    const lines = [`  ${colour.blue('-->')} ${where(place)}`];
    const text = place.file === undefined ? undefined : this.fileOf(place.file)?.[place.line! - 1];
    if (text !== undefined) lines.push(`  ${colour.blue(`${place.line} |`)} ${text.trimEnd()}`);
    return lines;
  }

  private fileOf(file: string): string[] | undefined {
    if (!this.sources.has(file)) {
      const tree = dirname(dirname(resolve(this.kernelPath)));
      const found = [resolve(file), resolve(tree, file)].find((path) => existsSync(path));
      this.sources.set(file, found === undefined ? undefined : readFileSync(found, 'utf8').split('\n'));
    }
    return this.sources.get(file);
  }

  /** The way down the table, with the entry that it is about marked. */
  private translation(finding: Finding): string[] {
    const { virtualAddress, physicalAddress, entryBefore, entryExpected, entryAfter, path } = finding;
    const lines: string[] = [];
    if (virtualAddress !== undefined && physicalAddress !== undefined) {
      lines.push(`  ${hex(virtualAddress)} -> ${hex(physicalAddress)}`);
    }
    const poison = [
      virtualAddress,
      physicalAddress,
      entryBefore,
      entryExpected,
      entryAfter,
      ...path.map(({ entry }) => entry),
    ]
      .filter((value) => value !== undefined && value !== 0 && value !== 0n)
      .map((value) => [value!, describePoison(BigInt(value!))] as const)
      .filter(([, words]) => words !== undefined);
    path.forEach(({ level, entry }, depth) => {
      const mark = depth === path.length - 1 ? this.colour.red(' <-- here') : '';
      const index = indexOf(SV39, virtualAddress!, level);
      lines.push(`  ${'  '.repeat(depth)}level ${level}, entry ${index}: ${describeEntry(entry)}${mark}`);
    });
    const entries = { before: entryBefore, 'as it should be': entryExpected, now: entryAfter };
    for (const [when, entry] of Object.entries(entries))
      if (entry !== undefined) lines.push(`  entry ${when}: ${describeEntry(entry)}`);
    for (const [value, words] of new Map(poison)) lines.push(`  ${hex(value)} is poison: ${words}`);
    return lines;
  }

  private history(what: string, event: Event): string[] {
    const places = this.places.ofStack(event.stack).slice(0, MAXIMUM_CALLS);
    return [`  ${this.colour.cyan(what)}: ${who(event)}`, ...places.map((place) => `    ${where(place)}`)];
  }
}

export const where = (place: Place): string =>
  place.file === undefined ? place.name : `${place.name} (${place.file}:${place.line})`;

export function who({ hart, process, instruction }: Pick<Event, 'hart' | 'process' | 'instruction'>): string {
  const pid = process?.pid ? `, pid ${process.pid}` : '';
  const name = process?.name ? ` (${process.name})` : '';
  return `hart ${hart}${pid}${name}, instruction ${instruction}`;
}
