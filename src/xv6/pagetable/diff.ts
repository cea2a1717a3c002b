/**
 * What differs between two page tables, address by address. Frames that a table maps once are all alike, and where the
 * kernel's text and data end is no difference: only how each part is mapped.
 */
import { SV39 } from '../model/page-table.js';
import {
  allRuns,
  type Dump,
  fold,
  follows,
  inGroups,
  isOwn,
  likeRuns,
  type Row,
  type Target,
  wayOf,
} from './dump.js';

export interface Difference {
  readonly kind: 'added' | 'lost' | 'changed';
  /** The pages as the first dump has them, and as the second; they cover the same addresses. */
  readonly before?: Row;
  readonly after?: Row;
}

/** In order of address. Neighbours that differ in the same way are one, and so are like runs at equal distances. */
export function compare(first: Dump, second: Dump): Difference[] {
  const [before, after] = [new Side(first), new Side(second)];
  const bounds = [...new Set([...before.bounds, ...after.bounds])].sort((a, b) => a - b);
  const found: Difference[] = [];
  for (let index = 0; index + 1 < bounds.length; index++) {
    const [start, end] = [bounds[index], bounds[index + 1]];
    const [was, is] = [before.cut(start, end), after.cut(start, end)];
    if ((was === undefined && is === undefined) || areAlike(was, is, before, after)) continue;
    const kind = was === undefined ? 'added' : is === undefined ? 'lost' : 'changed';
    append(found, { kind, before: was, after: is });
  }
  return foldAlike(found).sort((a, b) => startOf(a) - startOf(b));
}

const startOf = ({ before, after }: Difference): number => (before ?? after)!.start;

/** A dump, cut at will. */
class Side {
  readonly bounds: number[];
  private readonly runs: readonly Row[];
  /** Where each frame is mapped first. */
  private readonly firstUse = new Map<number, number>();
  /** How most of each part of the kernel is mapped. */
  private readonly usual = new Map<string, Row>();
  private next = 0;

  constructor({ rows }: Dump) {
    this.runs = allRuns(rows);
    this.bounds = this.runs.flatMap(({ start, end }) => [start, end]);
    for (const run of this.runs) {
      const { target, name } = run;
      const pages = (run.end - run.start) / SV39.spans[run.level];
      if (target.kind === 'frames' && !target.again) {
        for (let page = 0; page < pages; page++)
          this.firstUse.set(target.first + page, run.start + page * SV39.spans[run.level]);
      }
      const widest = this.usual.get(name);
      if (widest === undefined || widest.end - widest.start < run.end - run.start) this.usual.set(name, run);
    }
  }

  /** The part of a run that lies in [start, end), which no bound divides; to be asked for in ascending order. */
  cut(start: number, end: number): Row | undefined {
    while (this.next < this.runs.length && this.runs[this.next].end <= start) this.next++;
    const run = this.runs[this.next];
    if (run === undefined || run.start > start) return undefined;
    const { target } = run;
    const skipped = start - run.start;
    if (target.kind === 'elsewhere')
      return { ...run, start, end, target: { ...target, offset: target.offset + skipped } };
    if (target.kind === 'in-place') return { ...run, start, end };
    const first = target.first + Math.floor(skipped / SV39.spans[run.level]);
    return { ...run, start, end, target: { ...target, first } };
  }

  /** The row's target, told so that it does not depend on how many frames came before. */
  targetOf({ target }: Row): string {
    if (target.kind === 'in-place') return 'in place';
    if (target.kind === 'elsewhere') return `${target.name} ${target.offset}`;
    return target.again ? `the frame at ${this.firstUse.get(target.first)}` : 'a frame';
  }

  isUsual(row: Row): boolean {
    return this.usual.get(row.name)?.access === row.access;
  }
}

function areAlike(was: Row | undefined, is: Row | undefined, before: Side, after: Side): boolean {
  if (was === undefined || is === undefined) return false;
  if (was.level !== is.level || before.targetOf(was) !== after.targetOf(is)) return false;
  if (was.name === is.name) return was.access === is.access;
  // The same memory belongs to another part of the kernel: is each part mapped as the rest of it?
  return was.target.kind === 'in-place' && before.isUsual(was) && after.isUsual(is);
}

function append(found: Difference[], next: Difference): void {
  const last = found.at(-1);
  const before = last && joined(last.before, next.before);
  const after = last && joined(last.after, next.after);
  const isOne = last?.kind === next.kind && before !== null && after !== null;
  if (isOne) found[found.length - 1] = { kind: next.kind, before, after };
  else found.push(next);
}

/** Both rows as one, undefined if both are, or null where they are not alike. */
function joined(row: Row | undefined, next: Row | undefined): Row | undefined | null {
  if (row === undefined || next === undefined) return row === next ? undefined : null;
  const isAlike = row.access === next.access && row.name === next.name && row.level === next.level;
  const isNext = row.end === next.start && goesOn(next.target, row, row.end - row.start);
  return isAlike && isNext ? { ...row, end: next.end } : null;
}

/** Whether `target` is to `row` what comes next; of frames of its own it does not matter which. */
const goesOn = (target: Target, row: Row, bytes: number): boolean =>
  (isOwn(target) && isOwn(row.target)) || follows(target, row, bytes);

/** Each kind by itself: where every kernel stack has moved by a page, those lost and those added take turns. */
function foldAlike(found: readonly Difference[]): Difference[] {
  const kindOf = ({ kind, before, after }: Difference): string =>
    `${kind} ${before && wayOf(before)} ${after && wayOf(after)}`;
  return inGroups(found, kindOf).flatMap((differences) => {
    const [before, after] = (['before', 'after'] as const).map((side) =>
      differences.flatMap((each) => each[side] ?? []),
    );
    const sides = [before, after].filter((rows) => rows.length > 0);
    const folded: Difference[] = [];
    for (let at = 0; at < differences.length;) {
      const count = Math.min(...sides.map((rows) => likeRuns(rows, at, goesOn)));
      const sideOf = (rows: readonly Row[]) => (rows.length > 0 ? fold(rows, at, count) : undefined);
      folded.push({ kind: differences[at].kind, before: sideOf(before), after: sideOf(after) });
      at += count;
    }
    return folded;
  });
}
