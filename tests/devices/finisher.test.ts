import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Finisher } from '../../src/devices/finisher.js';
import { accesses, perform, range, touchEverything } from '../support/devices.js';

function build() {
  const events: (number | 'reset')[] = [];
  const finisher = new Finisher(
    (code) => events.push(code),
    () => events.push('reset'),
  );
  return { events, finisher };
}

describe('the test finisher', () => {
  test.each([
    { what: 'a pass ends the run with 0', value: 0x5555, event: 0 },
    { what: 'a pass carries no code', value: 0x0007_5555, event: 0 },
    { what: 'a failure ends the run with its code', value: 0x0007_3333, event: 7 },
    { what: 'the largest code is passed on whole', value: 0xffff_3333, event: 0xffff },
    { what: 'a failure without a code ends the run with 1', value: 0x3333, event: 1 },
    { what: 'a reset restarts the machine', value: 0x7777, event: 'reset' },
  ])('$what', ({ value, event }) => {
    const { events, finisher } = build();
    finisher.store(0, 4, value);
    expect(events).toEqual([event]);
  });

  test('a half-word is a command too, a byte is not', () => {
    const { events, finisher } = build();
    finisher.store(0, 2, 0x5555);
    finisher.store(0, 1, 0x55);
    expect(events).toEqual([0]);
  });

  test('other values and other offsets do nothing, and everything reads 0', () => {
    const { events, finisher } = build();
    finisher.store(0, 4, 0x1234);
    finisher.store(4, 4, 0x5555);
    expect(events).toEqual([]);
    expect(finisher.load(0, 4)).toBe(0);
  });

  test('every width at every offset is answered', () => {
    touchEverything(build().finisher, range(0x1000));
  });

  test('a restored finisher behaves as the saved one', () => {
    fc.assert(
      fc.property(accesses(0x1000, [0]), accesses(0x1000, [0]), (before, after) => {
        const original = build();
        perform(original.finisher, before);
        const copy = build();
        copy.finisher.restore(original.finisher.state());
        original.events.length = 0;
        expect(perform(copy.finisher, after)).toEqual(perform(original.finisher, after));
        expect(copy.events).toEqual(original.events);
      }),
    );
  });
});
