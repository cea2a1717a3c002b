import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Plic } from '../../src/devices/plic.js';
import { RecordingLine, accesses, perform, range, touchEverything } from '../support/devices.js';

const CONTEXTS = 4;
const UART = 10;
const DISK = 1;

const priority = (source: number) => 4 * source;
const pending = (word: number) => 0x1000 + 4 * word;
const enable = (context: number, word = 0) => 0x2000 + 0x80 * context + 4 * word;
const threshold = (context: number) => 0x20_0000 + 0x1000 * context;
const claim = (context: number) => threshold(context) + 4;

function build() {
  const outputs = range(CONTEXTS).map(() => new RecordingLine());
  const plic = new Plic(outputs);
  return { outputs, plic, interrupted: () => outputs.map((output) => output.level) };
}

/** A PLIC on which context 1 takes the UART at priority 1 and the disk at priority 2. */
function buildReady() {
  const built = build();
  built.plic.store(priority(UART), 4, 1);
  built.plic.store(priority(DISK), 4, 2);
  built.plic.store(enable(1), 4, (1 << UART) | (1 << DISK));
  return { ...built, uart: built.plic.line(UART), disk: built.plic.line(DISK) };
}

describe('the PLIC', () => {
  test('an enabled source interrupts the contexts that enabled it, and only those', () => {
    const { plic, uart, interrupted } = buildReady();
    plic.store(enable(2), 4, 1 << UART);
    uart.set(true);
    expect(interrupted()).toEqual([false, true, true, false]);
    expect(plic.load(pending(0), 4)).toBe(1 << UART);
  });

  test('a claim returns the source of highest priority', () => {
    const { plic, uart, disk } = buildReady();
    uart.set(true);
    disk.set(true);
    expect([plic.load(claim(1), 4), plic.load(claim(1), 4), plic.load(claim(1), 4)]).toEqual([DISK, UART, 0]);
  });

  test('among equal priorities the lowest source wins, across words too', () => {
    const { plic } = build();
    const sources = [95, 64, 63, 33, 31, 2];
    for (const word of [0, 1, 2]) plic.store(enable(0, word), 4, 0xffff_ffff);
    for (const source of sources) {
      plic.store(priority(source), 4, 3);
      plic.line(source).set(true);
    }
    expect(sources.map(() => plic.load(claim(0), 4))).toEqual([2, 31, 33, 63, 64, 95]);
  });

  test('a priority at or below the threshold does not interrupt', () => {
    const { plic, uart, interrupted } = buildReady();
    uart.set(true);
    plic.store(threshold(1), 4, 1);
    expect(interrupted()[1]).toBe(false);
    plic.store(threshold(1), 4, 0);
    expect(interrupted()[1]).toBe(true);
  });

  test('a claim is not held back by the threshold', () => {
    const { plic, uart } = buildReady();
    plic.store(threshold(1), 4, 7);
    uart.set(true);
    expect(plic.load(claim(1), 4)).toBe(UART);
  });

  test('priority 0 never interrupts and is never claimed', () => {
    const { plic, uart, interrupted } = buildReady();
    plic.store(priority(UART), 4, 0);
    uart.set(true);
    expect(interrupted()[1]).toBe(false);
    expect(plic.load(claim(1), 4)).toBe(0);
  });

  test('a context cannot claim what it has not enabled', () => {
    const { plic, uart } = buildReady();
    uart.set(true);
    expect(plic.load(claim(0), 4)).toBe(0);
    expect(plic.load(claim(1), 4)).toBe(UART);
  });

  test('a claim clears the pending bit and the interrupt of every context', () => {
    const { plic, uart, interrupted } = buildReady();
    plic.store(enable(3), 4, 1 << UART);
    uart.set(true);
    plic.load(claim(1), 4);
    expect(plic.load(pending(0), 4)).toBe(0);
    expect(interrupted()).toEqual([false, false, false, false]);
    expect(plic.load(claim(3), 4)).toBe(0);
  });

  test('a claimed interrupt is not offered again until it is completed', () => {
    const { plic, uart, interrupted } = buildReady();
    uart.set(true);
    plic.load(claim(1), 4);
    uart.set(false);
    uart.set(true);
    expect(interrupted()[1]).toBe(false);
    expect(plic.load(claim(1), 4)).toBe(0);
    plic.store(claim(1), 4, UART);
    expect(interrupted()[1]).toBe(true);
    expect(plic.load(claim(1), 4)).toBe(UART);
  });

  test('a device that raises its high line again while claimed is offered again after completion', () => {
    const { plic, uart } = buildReady();
    uart.set(true);
    plic.load(claim(1), 4);
    uart.set(true);
    plic.store(claim(1), 4, UART);
    expect(plic.load(claim(1), 4)).toBe(UART);
  });

  test('a line that merely stays high is not offered again, or old xv6 kernels would hang', () => {
    const { plic, uart, interrupted } = buildReady();
    uart.set(true);
    plic.load(claim(1), 4);
    plic.store(claim(1), 4, UART);
    expect(interrupted()[1]).toBe(false);
    uart.set(true);
    expect(interrupted()[1]).toBe(true);
  });

  test('an interrupt withdrawn before it is claimed is gone', () => {
    const { plic, uart, interrupted } = buildReady();
    uart.set(true);
    uart.set(false);
    expect(interrupted()[1]).toBe(false);
    expect(plic.load(claim(1), 4)).toBe(0);
  });

  test('a completion by a context that has not enabled the source is ignored', () => {
    const { plic, uart } = buildReady();
    uart.set(true);
    plic.load(claim(1), 4);
    uart.set(true);
    plic.store(claim(0), 4, UART);
    expect(plic.load(claim(1), 4)).toBe(0);
    plic.store(claim(1), 4, UART);
    expect(plic.load(claim(1), 4)).toBe(UART);
  });

  test('another context that has the source enabled may complete it', () => {
    const { plic, uart } = buildReady();
    plic.store(enable(3), 4, 1 << UART);
    uart.set(true);
    plic.load(claim(1), 4);
    uart.set(true);
    plic.store(claim(3), 4, UART);
    expect(plic.load(claim(1), 4)).toBe(UART);
  });

  test('a completion of nonsense changes nothing', () => {
    const { plic, uart } = buildReady();
    uart.set(true);
    plic.load(claim(1), 4);
    uart.set(true);
    // The second number is the UART's modulo 32, in a word that does not exist.
    for (const source of [0, 96 + UART, 0xffff_ffff]) plic.store(claim(1), 4, source);
    expect(plic.load(claim(1), 4)).toBe(0);
  });

  test('pending bits are read-only', () => {
    const { plic, interrupted } = buildReady();
    plic.store(pending(0), 4, 0xffff_ffff);
    expect(plic.load(pending(0), 4)).toBe(0);
    expect(interrupted()[1]).toBe(false);
  });

  test('registers keep only the bits they have', () => {
    const { plic } = build();
    const written = [
      priority(0),
      priority(1),
      priority(95),
      priority(96),
      enable(0),
      enable(0, 2),
      enable(0, 3),
    ];
    for (const offset of [...written, threshold(0)]) plic.store(offset, 4, 0xffff_ffff);
    expect(written.map((offset) => plic.load(offset, 4))).toEqual([0, 7, 7, 0, 0xffff_fffe, 0xffff_ffff, 0]);
    expect(plic.load(threshold(0), 4)).toBe(7);
  });

  test('contexts that the board does not have read 0', () => {
    const { plic } = build();
    for (const offset of [enable(CONTEXTS), threshold(CONTEXTS), claim(CONTEXTS)]) {
      plic.store(offset, 4, 1);
      expect(plic.load(offset, 4)).toBe(0);
    }
  });

  test('disabling a source takes its interrupt away, enabling it brings it back', () => {
    const { plic, uart, interrupted } = buildReady();
    uart.set(true);
    plic.store(enable(1), 4, 0);
    expect(interrupted()[1]).toBe(false);
    plic.store(enable(1), 4, 1 << UART);
    expect(interrupted()[1]).toBe(true);
  });

  test('there are lines for sources 1 to 95 only', () => {
    const { plic } = build();
    expect(() => plic.line(0)).toThrow(RangeError);
    expect(() => plic.line(96)).toThrow(RangeError);
    plic.line(95).set(true);
    expect(plic.load(pending(2), 4)).toBe(0x8000_0000);
  });

  test('every width is answered around every register block and at every page', () => {
    const { plic } = build();
    const blocks = [0, 0x1000, 0x2000, 0x20_0000].flatMap((base) =>
      range(0x400).map((offset) => base + offset),
    );
    touchEverything(plic, blocks);
    touchEverything(
      plic,
      range(0x600).map((page) => page * 0x1000),
    );
  });

  test('a restored PLIC answers, and interrupts, as the saved one', () => {
    const registers = [priority(1), priority(UART), enable(0), enable(1), threshold(1), claim(0), claim(1)];
    const storm = accesses(0x60_0000, registers);
    const levels = fc.array(fc.tuple(fc.constantFrom(1, UART, 40), fc.boolean()), { maxLength: 6 });
    const raise = (plic: Plic, changes: [number, boolean][]) =>
      changes.forEach(([source, level]) => plic.line(source).set(level));
    fc.assert(
      fc.property(storm, levels, storm, levels, storm, (first, raised, before, raisedLater, after) => {
        const original = build();
        perform(original.plic, first);
        raise(original.plic, raised);
        perform(original.plic, before);
        const copy = build();
        copy.plic.restore(structuredClone(original.plic.state()));
        expect(copy.interrupted()).toEqual(original.interrupted());
        for (const { plic } of [copy, original]) raise(plic, raisedLater);
        expect(perform(copy.plic, after)).toEqual(perform(original.plic, after));
        expect(copy.interrupted()).toEqual(original.interrupted());
        expect(copy.plic.state()).toEqual(original.plic.state());
      }),
    );
  });

  test('a saved state does not change with the device', () => {
    const { plic, uart } = buildReady();
    const saved = plic.state();
    const asSaved = structuredClone(saved);
    uart.set(true);
    plic.store(enable(1), 4, 0);
    plic.load(claim(1), 4);
    expect(saved).toEqual(asSaved);
  });
});
