/**
 * A page table as a drawing. Each row of the dump is a lane, the highest address on top. To its left are the entries of
 * the three levels that lead to it, to its right a line to what it is mapped to. Memory in place gives lines that do
 * not cross, and what is wrong, or differs, is red.
 */
import { indexOf, SV39 } from '../model/page-table.js';
import type { Difference } from './diff.js';
import { allRuns, type Dump, faultOf, foldRuns, KERNEL, type Row, type Target } from './dump.js';
import { maps, mapsInDifference, size } from './text.js';

/** A row as it is drawn. */
interface Lane {
  readonly row: Row;
  /** What is wrong with it, or how it differs; such a lane is red. */
  readonly note?: string;
  /** Whether it is drawn as something that is not there. */
  readonly isAbsent?: boolean;
}

const LANE = 34;
const GAP = 18;
const TOP = 104;
const LEGEND = 60;
const LEVEL_X = [16, 96, 176];
const LEVEL_WIDTH = 76;
const LANE_X = 262;
const LANE_WIDTH = 470;
const PLACE_X = 912;
const PLACE_WIDTH = 190;
const WIDTH = PLACE_X + PLACE_WIDTH + 16;

const RED = '#c62828';
const COLOURS: readonly [access: RegExp, colour: string, meaning: string][] = [
  [/^.wx/, '#ef9a9a', 'write and execute'],
  [/^r-x/, '#90caf9', 'execute'],
  [/^rw-/, '#a5d6a7', 'write'],
  [/^r--/, '#fff59d', 'read only'],
  [/^/, '#e0e0e0', 'none'],
];
const LINES: Record<Target['kind'], string> = {
  'in-place': '#9e9e9e',
  elsewhere: '#6a1b9a',
  frames: '#1565c0',
};

export function asSvg({ table, rows }: Dump): string {
  const title = `Page table of ${table === KERNEL ? 'the kernel' : table}`;
  return draw(
    title,
    '',
    rows.map((row) => ({ row, note: faultOf(row) })),
  );
}

/** Draws the second of two dumps, with what differs from the first. */
export function differencesAsSvg(
  differences: readonly Difference[],
  before: string,
  after: string,
  { rows }: Dump,
): string {
  const differing = differences.flatMap((each): Lane[] => {
    if (each.after === undefined)
      return [{ row: each.before!, note: `lost: was ${words(each.before!)}`, isAbsent: true }];
    const { before: was, after: is } = each;
    const note =
      was === undefined ? `added: ${size(is)}, ${mapsInDifference(is)}` : `changed: was ${words(was)}`;
    return [{ row: is, note }];
  });
  const touched = allRuns(differences.flatMap((each) => each.after ?? []));
  const isTouched = (row: Row): boolean =>
    touched.some(({ start, end }) => start < lastEnd(row) && end > row.start);
  const cut = allRuns(rows.filter(isTouched)).flatMap((run) => without(run, touched));
  const alike = [...rows.filter((row) => !isTouched(row)), ...foldRuns(cut)].map((row) => ({ row }));
  const lanes: Lane[] = [...alike, ...differing].sort((a, b) => a.row.start - b.row.start);
  const title = `${differences.length || 'no'} difference${differences.length === 1 ? '' : 's'}: ${after}`;
  return draw(title, `held against ${before}`, lanes);
}

const words = (row: Row): string => `${row.access} ${mapsInDifference(row)}`;
const lastEnd = (row: Row): number => row.end + (row.count - 1) * row.stride;

/** What is left of a run without others, which are in ascending order. */
function without(run: Row, others: readonly Row[]): Row[] {
  const rest: Row[] = [];
  let start = run.start;
  for (const other of others) {
    if (other.end <= start || other.start >= run.end) continue;
    if (other.start > start) rest.push({ ...run, start, end: other.start });
    start = other.end;
  }
  if (start < run.end) rest.push({ ...run, start });
  return rest;
}

/** `lanes` are in ascending order of address. */
function draw(title: string, subtitle: string, lanes: readonly Lane[]): string {
  const parts: string[] = [];
  const tops: number[] = [];
  const descending = [...lanes].reverse();
  let y = TOP;
  descending.forEach(({ row }, index) => {
    const above = descending[index - 1]?.row.start ?? lastEnd(row);
    if (above > lastEnd(row)) {
      parts.push(
        text(LANE_X + 8, y + 13, `${bytesInWords(above - lastEnd(row))} not mapped`, 'fill="#9e9e9e"'),
      );
      y += GAP;
    }
    tops.push(y);
    y += LANE;
  });
  const places = placesOf(descending);
  const height = Math.max(y, TOP + places.length * LANE) + 16;
  descending.forEach((lane, index) => parts.push(drawLane(lane, tops[index], places)));
  for (const level of [2, 1, 0]) parts.push(...drawLevel(level, descending, tops));
  places.forEach((place, index) => {
    const top = TOP + index * LANE;
    parts.push(box(PLACE_X, top + 3, PLACE_WIDTH, LANE - 6, '#fafafa', '#616161'));
    parts.push(text(PLACE_X + 10, top + 22, place));
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(16, 28, title, 'font-size="18" font-weight="bold"'),
    text(16, 46, subtitle),
    ...drawLegend(),
    ...['level 2', 'level 1', 'level 0'].map((name, at) => text(LEVEL_X[at], TOP - 8, name)),
    text(LANE_X, TOP - 8, 'virtual addresses'),
    text(PLACE_X, TOP - 8, 'physical memory'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function drawLegend(): string[] {
  return COLOURS.flatMap(([, colour, meaning], index) => [
    box(LANE_X + index * 160, LEGEND, 14, 14, colour, '#616161'),
    text(LANE_X + 20 + index * 160, LEGEND + 11, meaning),
  ]);
}

function drawLane({ row, note, isAbsent }: Lane, top: number, places: readonly string[]): string {
  const isRed = note !== undefined;
  const colour = isAbsent ? 'white' : COLOURS.find(([access]) => access.test(row.access))![1];
  const stroke = isRed ? RED : '#616161';
  const dashes = isAbsent ? ' stroke-dasharray="4 3"' : '';
  const what = `${range(row)}  ${row.access}  ${row.name}`;
  const from = LANE_X + LANE_WIDTH;
  const place = TOP + places.indexOf(placeOf(row.target)) * LANE + LANE / 2;
  const middle = top + LANE / 2;
  const bend = (from + PLACE_X) / 2;
  const line = isRed ? RED : LINES[row.target.kind];
  return [
    box(LANE_X, top + 2, LANE_WIDTH, LANE - 4, colour, stroke, `stroke-width="${isRed ? 2.5 : 1}"${dashes}`),
    text(LANE_X + 8, top + 15, what),
    text(
      LANE_X + 8,
      top + 28,
      note ?? `${size(row)}, ${maps(row)}`,
      `font-size="10" fill="${isRed ? RED : '#424242'}"`,
    ),
    `<path d="M${from} ${middle} C${bend} ${middle} ${bend} ${place} ${PLACE_X} ${place}" fill="none" stroke="${line}" stroke-width="${isRed ? 2.5 : 1.2}"${dashes}/>`,
  ].join('\n');
}

/** The entries of one level: one box for the lanes that the same entry leads to. */
function drawLevel(level: number, lanes: readonly Lane[], tops: readonly number[]): string[] {
  const parts: string[] = [];
  for (let at = 0; at < lanes.length;) {
    const { row } = lanes[at];
    const label = entries(row, level);
    let last = at;
    while (level > 0 && last + 1 < lanes.length && sharesEntry(row, lanes[last + 1].row, level)) last++;
    const x = LEVEL_X[2 - level];
    const bottom = tops[last] + LANE - 2;
    // A leaf of a higher level ends the way down.
    if (level >= row.level) {
      parts.push(box(x, tops[at] + 2, LEVEL_WIDTH, bottom - tops[at] - 2, '#eceff1', '#78909c'));
      parts.push(text(x + 8, (tops[at] + bottom) / 2 + 5, label));
    }
    at = last + 1;
  }
  return parts;
}

/** Whether both rows, each as a whole, lie under one entry of a level. */
function sharesEntry(row: Row, other: Row, level: number): boolean {
  const span = SV39.spans[level];
  const entry = (address: number): number => Math.floor(address / span);
  const all = [row.start, lastEnd(row) - 1, other.start, lastEnd(other) - 1].map(entry);
  return all.every((each) => each === all[0]) && other.level <= level;
}

/** The indices of a row's entries in a level: `5`, `0-63`, or `all` where it goes through many tables. */
function entries(row: Row, level: number): string {
  const [first, last] = [row.start, lastEnd(row) - 1].map((address) => indexOf(SV39, address, level));
  const count = Math.ceil((lastEnd(row) - row.start) / SV39.spans[level]);
  if (count > SV39.entriesPerTable) return 'all';
  return first === last && count === 1 ? `${first}` : `${first}-${last}`;
}

/** What the lanes are mapped to, from top to bottom. */
function placesOf(lanes: readonly Lane[]): string[] {
  const order = { elsewhere: 0, frames: 1, 'in-place': 2 };
  const sorted = [...lanes].sort((a, b) => order[a.row.target.kind] - order[b.row.target.kind]);
  return [...new Set(sorted.map(({ row }) => placeOf(row.target)))];
}

const placeOf = (target: Target): string => (target.kind === 'frames' ? 'frames of its own' : target.name);

const range = ({ start, end }: Row): string => `${start.toString(16)} - ${end.toString(16)}`;

function bytesInWords(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

const escape = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const text = (x: number, y: number, words: string, attributes = ''): string =>
  `<text x="${x}" y="${y}" xml:space="preserve"${attributes && ' '}${attributes}>${escape(words)}</text>`;

const box = (
  x: number,
  y: number,
  width: number,
  height: number,
  fill: string,
  stroke: string,
  attributes = '',
): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="3" fill="${fill}" stroke="${stroke}"${attributes && ' '}${attributes}/>`;
