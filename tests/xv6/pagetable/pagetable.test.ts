/** Dumps of page tables, on tables made by the model and on the project's own kernel. */
import { describe, expect, it } from 'vitest';
import { BadInputError } from '../../../src/machine/errors.js';
import { PAGE_BYTES, PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../../src/sv39/pte.js';
import { TRAMPOLINE, TRAPFRAME } from '../../../src/xv6/model/kernel-layout.js';
import { SparseMemory } from '../../../src/xv6/model/memory.js';
import { entryFor, PageTables, SV39 } from '../../../src/xv6/model/page-table.js';
import { Capture, type Moment } from '../../../src/xv6/pagetable/capture.js';
import { compare } from '../../../src/xv6/pagetable/diff.js';
import { type Dump, dumpTable, type PhysicalNames, type Row } from '../../../src/xv6/pagetable/dump.js';
import { asJson, readDump } from '../../../src/xv6/pagetable/json.js';
import { modelOf } from '../../../src/xv6/pagetable/model.js';
import { asSvg, differencesAsSvg } from '../../../src/xv6/pagetable/svg.js';
import { asText, differencesAsText } from '../../../src/xv6/pagetable/text.js';
import { bootImage, kernelElf, runUntil } from '../../support/images.js';

const BASE = 0x8000_0000;
const USER = PTE_R | PTE_W | PTE_U;

/** Physical memory with one device and a kernel of two pages. */
const NAMES: PhysicalNames = {
  placeOf: (physical, inPlace) => {
    if (physical < BASE) return { name: 'uart', offset: physical - 0x1000_0000 };
    if (physical < BASE + 2 * PAGE_BYTES) return { name: 'text', offset: physical - BASE };
    return inPlace ? { name: 'free memory', offset: 0 } : undefined;
  },
};

type Page = readonly [page: number, frame: number, permissions: bigint];

/** `pages` are virtual ones, with frames counted from BASE. */
function dumpOf(...pages: readonly Page[]): Dump {
  const memory = new SparseMemory();
  let next = 2 ** 40;
  const tables = new PageTables(SV39, memory, { allocate: () => (next += PAGE_BYTES), free: () => {} });
  const root = tables.create();
  for (const [page, frame, permissions] of pages)
    tables.map(root, page * PAGE_BYTES, PAGE_BYTES, BASE + frame * PAGE_BYTES, permissions);
  return dumpTable(memory, root, 'process sh', NAMES);
}

/** The project's kernel, with the fault of this number, at its first prompt. */
function capture(moment: Moment = {}, fault = 0): Capture {
  const { machine, text } = bootImage();
  machine.readMemory(machine.symbols.address('fault')!, 4)![0] = fault;
  const result = new Capture(machine, kernelElf, moment);
  if (fault === 0) runUntil(machine, text, '$ ');
  // A kernel that finds itself wrong does not come as far.
  else machine.run(60_000_000);
  return result;
}

describe('a dump', () => {
  it('folds like pages into a row and numbers frames in the order of their use', () => {
    const { rows } = dumpOf([0, 70, USER], [1, 30, USER], [2, 50, PTE_R | PTE_U], [3, 10, USER]);
    expect(rows.map(({ start, end, access, target }) => [start, end, access, target])).toEqual([
      [0, 0x2000, 'rw-u', { kind: 'frames', first: 0, again: false }],
      [0x2000, 0x3000, 'r--u', { kind: 'frames', first: 2, again: false }],
      [0x3000, 0x4000, 'rw-u', { kind: 'frames', first: 3, again: false }],
    ]);
  });

  it('tells a frame that is mapped twice', () => {
    expect(asText(dumpOf([0, 70, USER], [1, 70, USER]))).toMatch(/frame 0\n.*frame 0 again\n/);
  });

  it('makes one row of equal runs at equal distances', () => {
    const { rows } = dumpOf([10, 70, USER], [12, 71, USER], [14, 90, USER], [19, 91, USER]);
    expect(rows.map(({ start, count, stride }) => [start, count, stride])).toEqual([
      [0xa000, 3, 0x2000],
      [0x13000, 1, 0],
    ]);
  });

  it('makes one row of them also where runs of two kinds take turns', () => {
    const rows = dumpOf(
      ...[10, 12, 14, 16].flatMap((page): Page[] => [
        [page, 60 + page, USER],
        [page + 1, 60 + page, PTE_R | PTE_U],
      ]),
    ).rows;
    expect(rows.map(({ start, count, access, target }) => [start, count, access, target])).toEqual([
      [0xa000, 4, 'rw-u', { kind: 'frames', first: 0, again: false }],
      [0xb000, 4, 'r--u', { kind: 'frames', first: 0, again: true }],
    ]);
  });

  it('leaves out the bits that hardware sets, and names those that software uses', () => {
    expect(dumpOf([0, 70, USER | PTE_A | PTE_D]).rows).toEqual(dumpOf([0, 70, USER]).rows);
    expect(dumpOf([0, 70, USER | (2n << 8n)]).rows[0].access).toBe('rw-u rsw=2');
  });

  it('knows superpages, which hold 512 times as much', () => {
    const memory = new SparseMemory();
    memory.write(0x1000, 8, entryFor(0x2000, PTE_V));
    memory.write(0x2008, 8, entryFor(BASE + 2 ** 21, PTE_V | PTE_R | PTE_W));
    const [row] = dumpTable(memory, 0x1000, 'kernel', NAMES).rows;
    expect(row).toMatchObject({ start: 2 ** 21, end: 2 ** 22, level: 1 });
  });

  it('names the trampoline and the trapframe, and marks what the user must not reach', () => {
    const exposed = dumpOf(
      [TRAPFRAME / PAGE_BYTES, 9, USER],
      [TRAMPOLINE / PAGE_BYTES, 1, PTE_R | PTE_X | PTE_U],
    );
    expect(asText(exposed)).toMatch(/r-xu {2}trampoline {5}text\+0x1000 {3}<-- the user may reach it/);
    expect(asSvg(exposed)).toContain('the user may reach it');
  });

  it('is the same when read back from JSON', () => {
    const dump = dumpOf([0, 70, USER], [1, 1, PTE_R], [4, 70, USER]);
    expect(readDump(asJson(dump), 'dump.json')).toEqual(dump);
  });

  it.each([
    ['no JSON', 'neither a kernel nor a dump', (text: string) => text.slice(1)],
    ['another version', 'version: ', (text: string) => text.replace('"version": 1', '"version": 2')],
    ['an address that is none', 'rows.0.start: ', (text: string) => text.replace('"0x0"', '"here"')],
    [
      'a page that ends before it begins',
      'has no pages',
      (text: string) => text.replace('"0x1000"', '"0x0"'),
    ],
  ])('is refused in one sentence when it is %s', (_, message, damage) => {
    const text = damage(asJson(dumpOf([0, 70, USER])));
    expect(() => readDump(text, 'd.json')).toThrow(BadInputError);
    expect(() => readDump(text, 'd.json')).toThrow(message);
    expect(() => readDump(text, 'd.json')).toThrow(/^d\.json is .*"rvemu pagetable dump --format json"$/);
  });
});

describe('a diff', () => {
  const before = dumpOf([0, 70, USER], [1, 71, USER], [2, 72, USER]);

  it('does not tell frames apart that are mapped once', () => {
    expect(compare(before, dumpOf([0, 9, USER], [1, 8, USER], [2, 4, USER]))).toEqual([]);
  });

  it('tells what was added, lost and changed, neighbours together', () => {
    const after = dumpOf([0, 70, PTE_R | PTE_U], [1, 71, PTE_R | PTE_U], [3, 72, USER]);
    const found = compare(before, after);
    expect(
      found.map(({ kind, before: was, after: is }) => [kind, (was ?? is)!.start, (was ?? is)!.end]),
    ).toEqual([
      ['changed', 0, 0x2000],
      ['lost', 0x2000, 0x3000],
      ['added', 0x3000, 0x4000],
    ]);
    const text = differencesAsText(found, 'a', 'b');
    expect(text).toMatch(/^--- a\n\+\+\+ b\n- 0x0000000000 - 0x0000002000.*\n\+ 0x0000000000/);
    expect(text).toMatch(/\npages: 1 lost, 1 added, 2 changed\n$/);
    expect(differencesAsSvg(found, 'a', 'b', after)).toMatch(
      /3 differences.*added.*lost: .*changed: was rw-u/s,
    );
  });

  it('tells a frame that is shared now, and was not', () => {
    const after = dumpOf([0, 70, USER], [1, 71, USER], [2, 70, USER]);
    expect(compare(before, after)).toMatchObject([{ kind: 'changed', before: { start: 0x2000 } }]);
  });

  it('makes one line of like differences at equal distances, also where two kinds of them take turns', () => {
    const stacks = (...pages: number[]): Dump =>
      dumpOf(...pages.map((page, index) => [page, 70 + index, USER] as const));
    const after = stacks(9, 11, 13, 15, 30);
    const found = compare(stacks(10, 12, 14, 16, 30), after);
    expect(
      found.map(({ kind, before: was, after: is }) => [kind, (was ?? is)!.start, (was ?? is)!.count]),
    ).toEqual([
      ['added', 0x9000, 4],
      ['lost', 0xa000, 4],
    ]);
    expect(differencesAsText(found, 'a', 'b')).toMatch(
      /\n\+ .* 4 x 4 KiB .* 4 frames, one every 0x2000\n- .*\npages: 4 lost, 4 added, 0 changed\n$/,
    );
    const drawn = differencesAsSvg(found, 'a', 'b', after);
    expect(drawn.match(/added|lost: was/g)).toHaveLength(2);
    expect(drawn.match(/user memory/g)).toHaveLength(3);
  });

  it('does not make one of differences that a like mapping lies between', () => {
    const pages = [0, 2, 4, 6, 8].map((page) => [page, 70 + page, USER] as const);
    const readOnly = pages.map(([page, frame]) => [page, frame, page === 4 ? USER : PTE_R | PTE_U] as const);
    const found = compare(dumpOf(...pages), dumpOf(...readOnly));
    expect(found.map(({ after }) => after!.start)).toEqual([0, 0x2000, 0x6000, 0x8000]);
  });

  it('takes the end of text for no difference, but how each part is mapped', () => {
    const place = (end: number): PhysicalNames => ({
      placeOf: (physical) => ({ name: physical < BASE + end * PAGE_BYTES ? 'text' : 'data', offset: 0 }),
    });
    const kernel = (textPages: number, ofLast = PTE_R | PTE_X): Dump => {
      const memory = new SparseMemory();
      let next = 2 ** 40;
      const tables = new PageTables(SV39, memory, { allocate: () => (next += PAGE_BYTES), free: () => {} });
      const root = tables.create();
      for (let page = 0; page < 8; page++) {
        const address = BASE + page * PAGE_BYTES;
        const isText = page < textPages;
        const permissions = page === textPages - 1 ? ofLast : isText ? PTE_R | PTE_X : PTE_R | PTE_W;
        tables.map(root, address, PAGE_BYTES, address, permissions);
      }
      return dumpTable(memory, root, 'kernel', place(textPages));
    };
    expect(compare(kernel(3), kernel(5))).toEqual([]);
    expect(compare(kernel(3), kernel(5, PTE_R | PTE_W | PTE_X))).toMatchObject([
      { kind: 'changed', after: { start: BASE + 4 * PAGE_BYTES, access: 'rwx-' } },
    ]);
  });
});

describe("the project's kernel", () => {
  it('has the table that the model makes', () => {
    const captured = capture();
    const { guest, names } = captured;
    const dump = captured.result();
    expect(compare(modelOf(guest, names, dump), dump)).toEqual([]);
    expect(asText(dump)).toMatch(/plic .*in place\n.*uart .*in place\n.*virtio0 .*in place\n.*r-x- {2}text /);
    expect(asText(dump)).toContain('64 x 4 KiB  rw--  kernel stack   frames 0 to 63, one every 0x2000');
  });

  it('may have its stacks further down, but not without pages between them', () => {
    const captured = capture();
    const { guest, names } = captured;
    const dump = captured.result();
    const withStacks = (change: (row: Row) => Row): Dump => ({
      ...dump,
      rows: dump.rows.map((row) => (row.name === 'kernel stack' ? change(row) : row)),
    });
    const lower = withStacks((row) => ({ ...row, start: row.start - PAGE_BYTES, end: row.end - PAGE_BYTES }));
    expect(compare(modelOf(guest, names, lower), lower)).toEqual([]);
    const dense = withStacks((row) => ({ ...row, stride: PAGE_BYTES }));
    expect(compare(modelOf(guest, names, dense), dense)).toMatchObject([
      { kind: 'added', after: { count: 32 } },
    ]);
  });

  it.each([
    [18, 1, { start: BASE, access: 'rwx-', name: 'text' }],
    [19, 1, { access: 'rw-u', name: 'kernel stack' }],
    [21, 2, { access: 'rw--', name: 'kernel stack' }],
    [22, 1, { start: TRAMPOLINE, access: 'rwx-' }],
  ])('differs from the model where it has fault %i of its table', (fault, places, expected) => {
    const captured = capture({}, fault);
    const dump = captured.result();
    const differences = compare(modelOf(captured.guest, captured.names, dump), dump);
    expect(differences).toHaveLength(places);
    expect(differences[0].after).toMatchObject(expected);
  });

  it('gives a process its memory, a page that it may not use under its stack, and no more', () => {
    const dump = capture({ process: 'sh', atFirst: true }).result();
    expect(dump.rows.map(({ access, name }) => `${access} ${name}`)).toEqual([
      'r-xu user memory',
      'rw-u user memory',
      'rw-- not for users',
      'rw-u user memory',
      'rw-- trapframe',
      'r-x- trampoline',
    ]);
  });

  it('can be dumped when a function is reached, before the first prompt', () => {
    expect(capture({ symbol: 'scheduler' }).result().table).toBe('kernel');
  });

  it('refuses moments that never come, in one sentence', () => {
    expect(() => capture({ symbol: 'kaloc' })).toThrow('the kernel has no symbol kaloc');
    expect(() => capture({ symbol: 'panic' }).result()).toThrow('the guest never reached panic');
    expect(() => capture({ process: 'vi', atFirst: true }).result()).toThrow('no process vi ever ran');
  });
});
