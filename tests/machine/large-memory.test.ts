/** Offsets in RAM from 2 GiB on have no place in a signed 32-bit integer. */
import { expect, test } from 'vitest';
import { RamDma } from '../../src/machine/board-bus.js';
import { MAX_RAM_BYTES, RAM_BASE } from '../../src/machine/memory-map.js';
import { Frames } from '../../src/rv64/frames.js';
import { State } from '../../src/rv64/state.js';
import { bootProgram } from '../support/programs.js';

const BEYOND_2_GIB = 0x9000_0000;

test('a machine with the most memory there can be loads and stores at its end', () => {
  const machine = bootProgram(
    `
      li t0, 0x100000
      li t1, 0x13f000000
      li t2, 0x73333
      sw t2, 0(t1)
      lw t3, 0(t1)
      sw t3, 0(t0)
      stay: j stay
    `,
    { memoryBytes: MAX_RAM_BYTES },
  );
  expect(machine.run(1000)).toEqual({ kind: 'finished', code: 7 });
});

test('the device tree of such a machine lies at the end of its memory', () => {
  const machine = bootProgram('stay: j stay', { memoryBytes: MAX_RAM_BYTES });
  const tree = BigInt.asUintN(64, machine.harts[0].x[11]);
  expect(tree).toBeGreaterThan(BigInt(RAM_BASE + MAX_RAM_BYTES - 8192));
  expect(machine.readMemory(tree, 4)).toEqual(Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed));
});

test('what a device stores beyond 2 GiB is announced frame by frame', () => {
  const state = new State(MAX_RAM_BYTES);
  const frames = new Frames(state);
  const announced: [offset: number, bytes: number][] = [];
  const frame = BEYOND_2_GIB / 4096;
  for (const watched of [frame, frame + 1]) {
    frames.watch(watched, (offset, bytes) => announced.push([offset, bytes]));
  }
  const dma = new RamDma(state, frames, () => {});
  const address = BigInt(RAM_BASE + BEYOND_2_GIB + 4090);
  expect(dma.write(address, new Uint8Array(16).fill(1))).toBe(true);
  expect(announced).toEqual([
    [BEYOND_2_GIB + 4090, 6],
    [BEYOND_2_GIB + 4096, 10],
  ]);
  expect(dma.read(address, 16)).toEqual(new Uint8Array(16).fill(1));
});

test('sc succeeds above 2 GiB', () => {
  const stop = bootProgram(
    `
        li t0, 0x100000
        li t1, 0x110000000
        lr.w t2, (t1)
        sc.w t3, t2, (t1)
        li t2, 0x5555
        beqz t3, end
        li t2, 0x13333
      end:
        sw t2, 0(t0)
      stay:
        j stay
      `,
    { memoryBytes: 3 * 2 ** 30 },
  ).run(100_000);
  expect(stop).toEqual({ kind: 'finished', code: 0 });
});

test('page tables may lie above 2 GiB, and be stored to while in use', () => {
  const stop = bootProgram(
    `
        li t1, 0x110000000
        li t2, 0x200000cf
        sd t2, 16(t1)
        li t2, 0x400000cf
        sd t2, 32(t1)
        li t2, 0xcf
        sd t2, 0(t1)
        li t2, 0x8000000000110000
        csrw satp, t2
        li t0, 0x1800
        csrrc x0, mstatus, t0
        li t0, 0x800
        csrrs x0, mstatus, t0
        la t0, target
        csrw mepc, t0
        mret
      target:
        li t0, 0x100000
        ld t2, 16(t1)
        sd t2, 16(t1)
        li t2, 0x5555
        sw t2, 0(t0)
      stay:
        j stay
      `,
    { memoryBytes: 3 * 2 ** 30 },
  ).run(100_000);
  expect(stop).toEqual({ kind: 'finished', code: 0 });
});
