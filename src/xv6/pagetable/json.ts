/** Dumps and their differences as JSON; addresses are hexadecimal text. */
import { z } from 'zod';
import { BadInputError } from '../../machine/errors.js';
import { hex } from '../../machine/hex.js';
import { PAGE_BYTES } from '../../sv39/pte.js';
import type { Difference } from './diff.js';
import type { Dump, Row } from './dump.js';

/** Changes whenever the meaning of a dump does. */
const VERSION = 1;

const count = z.number().int().nonnegative();
const address = z
  .string()
  .regex(/^0x[0-9a-f]{1,13}$/)
  .transform(Number);
const pageAddress = address.refine((value) => value % PAGE_BYTES === 0, 'is not the address of a page');

const target = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('in-place'), name: z.string() }),
  z.object({ kind: z.literal('elsewhere'), name: z.string(), offset: address }),
  z.object({ kind: z.literal('frames'), first: count, again: z.boolean() }),
]);

const row = z.object({
  start: pageAddress,
  end: pageAddress,
  count: count.min(1).max(2 ** 16),
  stride: pageAddress,
  level: count.max(2),
  access: z.string().regex(/^[r-][w-][x-][u-]( g)?( rsw=[123])?$/),
  name: z.string(),
  target,
});

const dump = z.object({
  format: z.literal('rvemu page table'),
  version: z.literal(VERSION),
  table: z.string(),
  tables: z.array(count),
  rows: z.array(row.refine(({ start, end }) => start < end, 'has no pages')),
});

const rowAsJson = (each: Row) => ({
  ...each,
  start: hex(each.start),
  end: hex(each.end),
  stride: hex(each.stride),
  target:
    each.target.kind === 'elsewhere' ? { ...each.target, offset: hex(each.target.offset) } : each.target,
});

const inLines = (value: unknown): string => JSON.stringify(value, null, 2) + '\n';

export const asJson = ({ table, tables, rows }: Dump): string =>
  inLines({ format: 'rvemu page table', version: VERSION, table, tables, rows: rows.map(rowAsJson) });

export const differencesAsJson = (
  differences: readonly Difference[],
  before: string,
  after: string,
): string =>
  inLines({
    before,
    after,
    differences: differences.map((each) => ({
      kind: each.kind,
      before: each.before && rowAsJson(each.before),
      after: each.after && rowAsJson(each.after),
    })),
  });

/** Reads what `asJson` wrote. `path` is for messages. Throws BadInputError. */
export function readDump(text: string, path: string): Dump {
  const parsed = dump.safeParse(parse(text, path));
  if (parsed.success) {
    const { table, tables, rows } = parsed.data;
    return { table, tables, rows };
  }
  const [issue] = parsed.error.issues;
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  throw new BadInputError(
    `${path} is no page table of this version of rvemu (${where}${issue.message}); make it with "rvemu pagetable dump --format json"`,
  );
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadInputError(
      `${path} is neither a kernel nor a dump; make one with "rvemu pagetable dump --format json"`,
    );
  }
}
