/** Dumps and their differences as text for people. */
import { hex } from '../../machine/hex.js';
import { SV39 } from '../model/page-table.js';
import { type Difference } from './diff.js';
import { type Dump, faultOf, isOwn, KERNEL, type Row, type Target } from './dump.js';

export function asText({ table, tables, rows }: Dump): string {
  const title = `Page table of ${table === KERNEL ? 'the kernel' : table}: ${tables.join(' + ')} tables of levels 2, 1, 0`;
  return [title, '', ...rows.map((row) => columns(row, maps(row)))].join('\n') + '\n';
}

export function differencesAsText(differences: readonly Difference[], before: string, after: string): string {
  if (differences.length === 0) return `${before} and ${after} map the same\n`;
  const lines = differences.flatMap((difference) => {
    const line = (mark: string, row: Row | undefined): string[] =>
      row ? [`${mark} ${columns(row, mapsInDifference(row))}`] : [];
    return [...line('-', difference.before), ...line('+', difference.after)];
  });
  const count = (kind: Difference['kind']): string => {
    const pages = differences
      .filter((each) => each.kind === kind)
      .map((each) => pagesOf(each.after ?? each.before!));
    return `${pages.reduce((sum, each) => sum + each, 0)} ${kind}`;
  };
  return [
    `--- ${before}`,
    `+++ ${after}`,
    ...lines,
    `pages: ${count('lost')}, ${count('added')}, ${count('changed')}`,
    '',
  ].join('\n');
}

/** `target` is what the row is mapped to, in words. */
function columns(row: Row, target: string): string {
  const fault = faultOf(row);
  const parts = [
    `${address(row.start)} - ${address(row.end)}`,
    size(row).padStart(11),
    row.access.padEnd(4),
    row.name.padEnd(13),
    target,
  ];
  return `${parts.join('  ')}${fault ? `   <-- ${fault}` : ''}`;
}

const address = (value: number): string => `0x${value.toString(16).padStart(10, '0')}`;

/** `64 x 4 KiB`. */
export function size(row: Row): string {
  const kibibytes = (row.end - row.start) / 1024;
  const bytes = kibibytes >= 1024 && kibibytes % 1024 === 0 ? `${kibibytes / 1024} MiB` : `${kibibytes} KiB`;
  return row.count === 1 ? bytes : `${row.count} x ${bytes}`;
}

const pagesOf = (row: Row): number => (row.count * (row.end - row.start)) / SV39.spans[row.level];

/** What a row of a dump is mapped to, in words. */
export const maps = (row: Row): string => places(row, numbered);

/** The same for a row that differs: which frames of its own it has is no difference. */
export function mapsInDifference(row: Row): string {
  const pages = pagesOf(row);
  return isOwn(row.target) ? places(row, () => (pages === 1 ? 'a frame' : `${pages} frames`)) : maps(row);
}

function places(row: Row, target: (where: Target, pages: number) => string): string {
  const every = row.count === 1 ? '' : `, one every ${hex(row.stride)}`;
  const superpages = row.level === 0 ? '' : `, in superpages of level ${row.level}`;
  return target(row.target, pagesOf(row)) + every + superpages;
}

function numbered(where: Target, pages: number): string {
  if (where.kind === 'in-place') return 'in place';
  if (where.kind === 'elsewhere') return where.name + (where.offset === 0 ? '' : `+${hex(where.offset)}`);
  const { first, again } = where;
  const frames = pages === 1 ? `frame ${first}` : `frames ${first} to ${first + pages - 1}`;
  return again ? `${frames} again` : frames;
}
