import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Clint, type ClintHart } from '../../src/devices/clint.js';
import { StoppedClock, accesses, perform, range, touchEverything } from '../support/devices.js';

const NEVER = 0xffff_ffff_ffff_ffffn;

class RecordingHart implements ClintHart {
  softwareInterrupt = true;
  timerCompare = 0n;

  setSoftwareInterrupt(level: boolean): void {
    this.softwareInterrupt = level;
  }

  setTimerCompare(ticks: bigint): void {
    this.timerCompare = ticks;
  }
}

function build({ hartCount = 2, ticks = 0n } = {}) {
  const harts = range(hartCount).map(() => new RecordingHart());
  const clock = new StoppedClock(ticks);
  return { harts, clock, clint: new Clint(harts, clock) };
}

describe('the CLINT', () => {
  test('at reset no hart has a software interrupt and no timer is due', () => {
    const { harts, clint } = build();
    for (const hart of harts) expect(hart).toMatchObject({ softwareInterrupt: false, timerCompare: NEVER });
    expect(clint.load(0x4000, 4)).toBe(0xffff_ffff);
    expect(clint.load(0x4004, 4)).toBe(0xffff_ffff);
  });

  test('msip raises and lowers the software interrupt of its own hart alone', () => {
    const { harts, clint } = build();
    clint.store(4, 4, 1);
    expect(harts.map((hart) => hart.softwareInterrupt)).toEqual([false, true]);
    clint.store(4, 4, 0);
    expect(harts.map((hart) => hart.softwareInterrupt)).toEqual([false, false]);
  });

  test('msip keeps only its lowest bit', () => {
    const { harts, clint } = build();
    clint.store(0, 4, 0xffff_ffff);
    expect(clint.load(0, 4)).toBe(1);
    clint.store(0, 4, 0xffff_fffe);
    expect(clint.load(0, 4)).toBe(0);
    expect(harts[0].softwareInterrupt).toBe(false);
  });

  test('mtimecmp is set by halves and given to its own hart', () => {
    const { harts, clint } = build();
    clint.store(0x4008, 4, 0x89ab_cdef);
    clint.store(0x400c, 4, 0x0123_4567);
    expect(harts[1].timerCompare).toBe(0x0123_4567_89ab_cdefn);
    expect(harts[0].timerCompare).toBe(NEVER);
    expect([clint.load(0x4008, 4), clint.load(0x400c, 4)]).toEqual([0x89ab_cdef, 0x0123_4567]);
  });

  test('mtime reads the clock and writes it, by halves', () => {
    const { clock, clint } = build({ ticks: 0xfedc_ba98_7654_3210n });
    expect([clint.load(0xbff8, 4), clint.load(0xbffc, 4)]).toEqual([0x7654_3210, 0xfedc_ba98]);
    clint.store(0xbff8, 4, 0xffff_ffff);
    expect(clock.ticks()).toBe(0xfedc_ba98_ffff_ffffn);
    clint.store(0xbffc, 4, 1);
    expect(clock.ticks()).toBe(0x1_ffff_ffffn);
  });

  test('registers of harts that are not there read 0 and keep nothing', () => {
    const { clint } = build();
    for (const offset of [8, 0x3ffc, 0x4010, 0x4014, 0xbff0, 0xbff4]) {
      clint.store(offset, 4, 1);
      expect(clint.load(offset, 4)).toBe(0);
    }
    expect(clint.state()).toEqual({ softwareInterrupts: [false, false], timerCompares: [NEVER, NEVER] });
  });

  test('nothing beyond mtime reaches the clock', () => {
    const { clock, clint } = build({ ticks: 5n });
    clint.store(0xc000, 4, 1);
    clint.store(0xfffc, 4, 1);
    expect(clock.ticks()).toBe(5n);
    expect(clint.load(0xc000, 4)).toBe(0);
  });

  test('every width at every offset is answered', () => {
    const { clint } = build();
    touchEverything(clint, range(clint.size));
  });

  test('a restored CLINT answers, and drives its harts, as the saved one', () => {
    const storm = accesses(0x1_0000, [0, 4, 0x4000, 0x4004, 0x4008, 0x400c, 0xbff8, 0xbffc]);
    fc.assert(
      fc.property(storm, storm, (before, after) => {
        const original = build();
        perform(original.clint, before);
        const copy = build({ ticks: original.clock.ticks() });
        copy.clint.restore(structuredClone(original.clint.state()));
        expect(copy.harts).toEqual(original.harts);
        expect(perform(copy.clint, after)).toEqual(perform(original.clint, after));
        expect(copy.harts).toEqual(original.harts);
      }),
    );
  });

  test('a saved state does not change with the device', () => {
    const { clint } = build();
    const saved = clint.state();
    clint.store(0, 4, 1);
    clint.store(0x4000, 4, 1);
    expect(saved).toEqual({ softwareInterrupts: [false, false], timerCompares: [NEVER, NEVER] });
  });
});
