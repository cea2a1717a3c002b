import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blocks } from '../../../src/xv6/model/blocks.js';
import { ALLOCATED_JUNK, FREE_JUNK, FrameAllocator } from '../../../src/xv6/model/frames.js';
import { kernelStack, makeKernelTable, memoryRegions } from '../../../src/xv6/model/kernel-layout.js';
import { SparseMemory } from '../../../src/xv6/model/memory.js';
import { frameOf, leavesOf, PageTables, PERMISSIONS, SV32, SV39 } from '../../../src/xv6/model/page-table.js';
import { PROT_READ, Regions } from '../../../src/xv6/model/regions.js';
import { PAGE_BYTES, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../../src/sv39/pte.js';

const BASE = 0x8000_0000;

function allocatorOf(frames: number) {
  const memory = new SparseMemory();
  const allocator = new FrameAllocator(memory, BASE, BASE + frames * PAGE_BYTES);
  allocator.freeRange(BASE, BASE + (frames >> 1) * PAGE_BYTES);
  allocator.freeRange(BASE + (frames >> 1) * PAGE_BYTES, BASE + frames * PAGE_BYTES);
  return { memory, allocator };
}

describe('the frame allocator', () => {
  it('gives back the frame that was freed last', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 1 }), (choices) => {
        const { allocator } = allocatorOf(10);
        const held = choices.map(() => allocator.allocate()).filter((frame) => frame !== 0);
        const frame = held[choices[0] % held.length];
        allocator.free(frame);
        expect(allocator.allocate()).toBe(frame);
      }),
    );
  });

  it('never has a frame in two places, and loses none', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1, max: 9 })), (steps) => {
        const { allocator } = allocatorOf(10);
        const held: number[] = [];
        for (const step of steps) {
          if (step < 0) {
            const frame = allocator.allocate();
            if (frame !== 0) held.push(frame);
          } else if (held.length > 0) allocator.free(held.splice(step % held.length, 1)[0]);
          expect(new Set(held).size).toBe(held.length);
          expect(held.some((frame) => allocator.isFree(frame))).toBe(false);
          expect(held.length + allocator.freeFrames).toBe(10);
        }
      }),
    );
  });

  it('fills frames with junk, and links the free ones through their first words', () => {
    const { memory, allocator } = allocatorOf(4);
    const [first, second] = [allocator.allocate(), allocator.allocate()];
    expect(memory.read(first + 8, 8)).toBe(BigInt(ALLOCATED_JUNK) * 0x0101_0101_0101_0101n);
    allocator.free(second);
    allocator.free(first);
    expect(memory.read(first, 8)).toBe(BigInt(second));
    expect(memory.read(first + 4088, 8)).toBe(BigInt(FREE_JUNK) * 0x0101_0101_0101_0101n);
  });

  it('refuses what is no frame, and a frame that is free', () => {
    const { allocator } = allocatorOf(4);
    const frame = allocator.allocate();
    expect(() => allocator.free(frame + 8)).toThrow('0x80003008 is not the address of a frame');
    expect(() => allocator.free(BASE - PAGE_BYTES)).toThrow('not the address of a frame');
    expect(() => allocator.free(BASE + 4 * PAGE_BYTES)).toThrow('not the address of a frame');
    allocator.free(frame);
    expect(() => allocator.free(frame)).toThrow('is free already');
  });
});

describe.each([SV39, SV32])('page tables in the format $name', (format) => {
  const setUp = (frames = 64) => {
    const { memory, allocator } = allocatorOf(frames);
    return { memory, allocator, tables: new PageTables(format, memory, allocator) };
  };
  const pages = fc.uniqueArray(fc.nat(format.entriesPerTable ** format.levels - 2), {
    minLength: 1,
    maxLength: 8,
  });
  const permissions = fc.constantFrom(PTE_R, PTE_R | PTE_W, PTE_R | PTE_X | PTE_U, PTE_R | PTE_W | PTE_U);

  it('find with walk what map has mapped, and nothing else', () => {
    fc.assert(
      fc.property(pages, permissions, (numbers, flags) => {
        const { memory, tables } = setUp();
        const root = tables.create();
        numbers.forEach((number, index) =>
          expect(tables.map(root, number * PAGE_BYTES, PAGE_BYTES, index * PAGE_BYTES, flags)).toBe(true),
        );
        numbers.forEach((number, index) => {
          const entry = tables.entry(root, number * PAGE_BYTES);
          expect(frameOf(entry)).toBe(index * PAGE_BYTES);
          expect(entry & 0x3ffn).toBe(flags | PTE_V);
        });
        const found = [...leavesOf(format, memory, root)].map((leaf) => leaf.address / PAGE_BYTES);
        expect(found).toEqual([...numbers].sort((a, b) => a - b));
      }),
    );
  });

  it('are as they were once everything is unmapped, and then give back every frame', () => {
    fc.assert(
      fc.property(pages, (numbers) => {
        const { memory, allocator, tables } = setUp();
        const before = allocator.freeFrames;
        const root = tables.create();
        for (const number of numbers) {
          tables.map(root, number * PAGE_BYTES, PAGE_BYTES, allocator.allocate(), PTE_R);
        }
        for (const number of numbers) tables.unmap(root, number * PAGE_BYTES, PAGE_BYTES, true);
        expect([...leavesOf(format, memory, root)]).toEqual([]);
        tables.free(root);
        expect(allocator.freeFrames).toBe(before);
      }),
    );
  });

  it('are copied into frames of their own, with the same contents and permissions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), permissions, (count, flags) => {
        const { memory, allocator, tables } = setUp();
        const [from, to] = [tables.create(), tables.create()];
        for (let page = 0; page < count; page++) {
          const frame = allocator.allocate();
          memory.fill(frame, page + 10);
          tables.map(from, page * PAGE_BYTES, PAGE_BYTES, frame, flags);
        }
        expect(tables.copy(from, to, count * PAGE_BYTES)).toBe(true);
        for (let page = 0; page < count; page++) {
          const [old, copied] = [from, to].map((root) => tables.entry(root, page * PAGE_BYTES));
          expect(frameOf(copied)).not.toBe(frameOf(old));
          expect(copied & PERMISSIONS).toBe(old & PERMISSIONS);
          expect(memory.read(frameOf(copied), 8)).toBe(memory.read(frameOf(old), 8));
        }
      }),
    );
  });

  it('are left as they were when memory runs out', () => {
    for (let frames = 4; frames < 12; frames++) {
      const { memory, allocator, tables } = setUp(frames);
      const [from, to] = [tables.create(), tables.create()];
      const mapped = tables.map(from, 0, PAGE_BYTES, BASE, PTE_R | PTE_U);
      const before = allocator.freeFrames;
      if (!mapped) expect([...leavesOf(format, memory, from)]).toEqual([]);
      else if (!tables.copy(from, to, PAGE_BYTES))
        expect(allocator.freeFrames).toBeGreaterThan(before - format.levels);
    }
  });

  it('refuse to map a page twice, to unmap what is not mapped, and to be freed with a leaf', () => {
    const { tables } = setUp();
    const root = tables.create();
    tables.map(root, 0x5678, 2 * PAGE_BYTES, BASE, PTE_R);
    expect(() => tables.map(root, 0x7000, 1, BASE, PTE_R)).toThrow('0x7000 is mapped already');
    expect(() => tables.unmap(root, 0x8000, PAGE_BYTES, false)).toThrow('0x8000 is not mapped');
    expect(() => tables.free(root)).toThrow('a leaf is left at 0x5000');
  });
});

describe("the kernel's table", () => {
  const parts = {
    textStart: BASE,
    textEnd: BASE + 8 * PAGE_BYTES,
    memoryEnd: BASE + 64 * PAGE_BYTES,
    trampoline: BASE + 7 * PAGE_BYTES,
  };

  it('maps memory in place, and each stack above a page that is not mapped', () => {
    const { memory, allocator } = allocatorOf(64);
    const tables = new PageTables(SV39, memory, allocator);
    const root = makeKernelTable(tables, allocator, memoryRegions(parts), [0, 1, 2].map(kernelStack));
    expect(tables.entry(root, BASE)).toBe((BigInt(BASE) >> 2n) | PTE_R | PTE_X | PTE_V);
    expect(tables.entry(root, parts.textEnd) & PERMISSIONS).toBe(PTE_R | PTE_W);
    for (let slot = 0; slot < 3; slot++) {
      expect(tables.entry(root, kernelStack(slot)) & PTE_V).toBe(PTE_V);
      expect(tables.entry(root, kernelStack(slot) - PAGE_BYTES) & PTE_V).toBe(0n);
    }
  });

  it('gives back what it took when memory is out', () => {
    for (let frames = 1; frames < 16; frames++) {
      const { memory, allocator } = allocatorOf(frames);
      const tables = new PageTables(SV39, memory, allocator);
      const root = makeKernelTable(
        tables,
        allocator,
        memoryRegions(parts),
        [0, 1, 2, 3, 4, 5].map(kernelStack),
      );
      if (root === 0) expect(allocator.freeFrames).toBe(frames);
    }
  });
});

describe('blocks', () => {
  it('may be given where none overlaps, and freed once', () => {
    const blocks = new Blocks();
    blocks.give({ start: BASE + 16, bytes: 100 });
    expect(() => blocks.give({ start: BASE + 112, bytes: 16 })).toThrow('overlaps 0x80000010');
    blocks.give({ start: BASE + 128, bytes: 16 });
    blocks.free(BASE + 16);
    expect(() => blocks.free(BASE + 16)).toThrow('was freed already');
    expect(() => blocks.free(BASE + 32)).toThrow('is not a block');
    blocks.give({ start: BASE + 32, bytes: 16 });
  });

  it('have at most a page, and lie in one', () => {
    const blocks = new Blocks();
    expect(() => blocks.give({ start: BASE, bytes: 4097 })).toThrow('more than a block can have');
    expect(() => blocks.give({ start: BASE + 16, bytes: 4096 })).toThrow('reaches over the end');
    blocks.give({ start: BASE, bytes: 4096 });
  });
});

describe('regions', () => {
  it('hold, page by page, what was added and not removed since', () => {
    const step = fc.record({ add: fc.boolean(), start: fc.nat(19), length: fc.integer({ min: 1, max: 6 }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const regions = new Regions();
        const held = new Set<number>();
        for (const { add, start, length } of steps) {
          const end = start + length;
          const touched = Array.from({ length }, (_, index) => start + index);
          if (!add) {
            regions.remove(start, end);
            touched.forEach((page) => held.delete(page));
          } else if (touched.some((page) => held.has(page))) {
            expect(() => regions.add({ start, end, protection: PROT_READ, flags: 0 })).toThrow('overlaps');
          } else {
            regions.add({ start, end, protection: PROT_READ, flags: 0 });
            touched.forEach((page) => held.add(page));
          }
        }
        for (let page = 0; page < 30; page++) expect(regions.at(page) !== undefined).toBe(held.has(page));
      }),
    );
  });
});
