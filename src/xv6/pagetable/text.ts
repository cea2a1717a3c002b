/** Dumps and their differences as text for people. */
import { hex } from '../../machine/hex.js';
import { SV39 } from '../model/page-table.js';
import { type Difference } from './diff.js';
import { type Dump, faultOf, type Row, type Target } from './dump.js';

export function asText({ table, tables, rows }: Dump): string {
  const title = `Page table of ${table === 'kernel' ? 'the kernel' : table}: ${tables.join(' + ')} tables of levels 2, 1, 0`;
  return [title, '', ...columns(rows)].join('\n') + '\n';
}

export function differencesAsText(differences: readonly Difference[], before: string, after: string): string {
  if (differences.length === 0) return `${before} and ${after} map the same\n`;
  const lines = differences.flatMap((difference) => {
    const lost = difference.before ? columns([difference.before], '-') : [];
    const added = difference.after ? columns([difference.after], '+') : [];
    return [...lost, ...added];
  });
  const count = (kind: Difference['kind']): string =>
    `${differences.filter((each) => each.kind === kind).length} ${kind}`;
  return [
    `--- ${before}`,
    `+++ ${after}`,
    ...lines,
    `${count('lost')}, ${count('added')}, ${count('changed')}`,
    '',
  ].join('\n');
}

/** A line for each row. */
function columns(rows: readonly Row[], mark = ''): string[] {
  return rows.map((row) => {
    const fault = faultOf(row);
    const parts = [
      `${address(row.start)} - ${address(row.end)}`,
      size(row).padStart(11),
      row.access.padEnd(4),
      row.name.padEnd(13),
      maps(row),
    ];
    return `${mark}${mark && ' '}${parts.join('  ')}${fault ? `   <-- ${fault}` : ''}`;
  });
}

const address = (value: number): string => `0x${value.toString(16).padStart(10, '0')}`;

/** `64 x 4 KiB`. */
export function size(row: Row): string {
  const kibibytes = (row.end - row.start) / 1024;
  const bytes = kibibytes >= 1024 && kibibytes % 1024 === 0 ? `${kibibytes / 1024} MiB` : `${kibibytes} KiB`;
  return row.count === 1 ? bytes : `${row.count} x ${bytes}`;
}

/** What a row is mapped to, in words. */
export function maps(row: Row): string {
  const words = target(row.target, (row.count * (row.end - row.start)) / SV39.spans[row.level]);
  const every = row.count === 1 ? '' : `, one every ${hex(row.stride)}`;
  const superpages = row.level === 0 ? '' : `, in superpages of level ${row.level}`;
  return words + every + superpages;
}

function target(where: Target, pages: number): string {
  if (where.kind === 'in-place') return 'in place';
  if (where.kind === 'elsewhere') return where.name + (where.offset === 0 ? '' : `+${hex(where.offset)}`);
  const { first, again } = where;
  const frames = pages === 1 ? `frame ${first}` : `frames ${first} to ${first + pages - 1}`;
  return again ? `${frames} again` : frames;
}
