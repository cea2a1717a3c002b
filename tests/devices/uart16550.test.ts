import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Uart16550 } from '../../src/devices/uart16550.js';
import { RecordingLine, accesses, perform, range, touchEverything } from '../support/devices.js';

const RBR = 0;
const THR = 0;
const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const NONE = 0x01;
const TRANSMITTER_EMPTY = 0x02;
const RECEIVED = 0x04;
const LINE_STATUS = 0x06;
const RECEIVE_TIMEOUT = 0x0c;
const LOOPBACK = 0x10;

function build() {
  const line = new RecordingLine();
  const sent: number[] = [];
  const uart = new Uart16550(line, (byte) => sent.push(byte));
  return { line, sent, uart, load: (at: number) => uart.load(at, 1), type: typist(uart) };
}

const typist = (uart: Uart16550) => (text: string) => uart.receive(new TextEncoder().encode(text));

/** Reads as a polling driver does: RBR while LSR says there is data. */
function readAll(uart: Uart16550): string {
  let text = '';
  while (uart.load(LSR, 1) & 1) text += String.fromCharCode(uart.load(RBR, 1));
  return text;
}

/** The interrupt that IIR names, without the bits that say the FIFOs are on. */
const interruptOf = (uart: Uart16550) => uart.load(IIR, 1) & 0x0f;

describe('the UART, transmitting', () => {
  test('a byte stored to THR goes to the sink at once', () => {
    const { uart, sent, load } = build();
    uart.store(THR, 1, 0x41);
    expect(sent).toEqual([0x41]);
    expect(load(LSR)).toBe(0x60);
  });

  test('a wide store transmits its low byte', () => {
    const { uart, sent } = build();
    uart.store(THR, 4, 0x1234_5678);
    expect(sent).toEqual([0x78]);
  });

  test('enabling the transmitter interrupt raises it, and reading IIR settles it', () => {
    const { uart, line } = build();
    uart.store(IER, 1, 2);
    expect(line.level).toBe(true);
    expect(interruptOf(uart)).toBe(TRANSMITTER_EMPTY);
    expect(line.level).toBe(false);
    expect(interruptOf(uart)).toBe(NONE);
  });

  test('each byte transmitted raises the interrupt again', () => {
    const { uart, line } = build();
    uart.store(IER, 1, 2);
    interruptOf(uart);
    uart.store(THR, 1, 0x41);
    expect(line.level).toBe(true);
    expect(interruptOf(uart)).toBe(TRANSMITTER_EMPTY);
  });

  test('storing IER with the interrupt already enabled does not raise it again', () => {
    const { uart, line } = build();
    uart.store(IER, 1, 2);
    interruptOf(uart);
    uart.store(IER, 1, 3);
    expect(line.level).toBe(false);
  });

  test('without the enable bit nothing interrupts', () => {
    const { uart, line, type } = build();
    uart.store(THR, 1, 0x41);
    type('a');
    expect(line.level).toBe(false);
    expect(interruptOf(uart)).toBe(NONE);
  });

  test('looking at LSR does not raise the line again, so a driver that never reads IIR is not flooded', () => {
    const { uart, line, load } = build();
    uart.store(IER, 1, 3);
    line.calls = [];
    load(LSR);
    expect(line.calls).toEqual([]);
    uart.store(THR, 1, 0x41);
    expect(line.calls).toEqual([true]);
  });
});

describe('the UART, receiving', () => {
  test('bytes are received in order, and DR says while there are any', () => {
    const { uart, load, type } = build();
    expect(load(LSR)).toBe(0x60);
    type('ls\n');
    expect(uart.pendingInput).toBe(3);
    expect(readAll(uart)).toBe('ls\n');
    expect(uart.pendingInput).toBe(0);
    expect(load(RBR)).toBe(0);
  });

  test('no byte is lost however fast they come', () => {
    const { uart, type, load } = build();
    const text = 'echo hi > f\n'.repeat(20_000);
    type(text);
    expect(load(LSR) & 2).toBe(0);
    expect(readAll(uart)).toBe(text);
  });

  test.each([0x02, 0x07, 0x01, 0x06])(
    'an FCR store of %i, as a driver starts, keeps what was typed before',
    (fcr) => {
      const { uart, type, load } = build();
      type('typed ahead');
      load(LSR);
      uart.store(FCR, 1, fcr);
      expect(readAll(uart)).toBe('typed ahead');
    },
  );

  test('the receive interrupt is high while there is data and raised again by each byte read', () => {
    const { uart, line, type, load } = build();
    uart.store(IER, 1, 1);
    expect(line.level).toBe(false);
    type('ab');
    expect(line.level).toBe(true);
    line.calls = [];
    load(RBR);
    expect(line.calls).toEqual([true]);
    load(RBR);
    expect(line.calls).toEqual([true, false]);
  });

  test('data typed before the interrupt was enabled interrupts when it is', () => {
    const { uart, line, type } = build();
    type('a');
    uart.store(IER, 1, 1);
    expect(line.level).toBe(true);
  });

  test('a byte arriving while the line is high raises it again', () => {
    const { uart, line, type } = build();
    uart.store(IER, 1, 1);
    type('a');
    type('b');
    expect(line.calls.slice(-2)).toEqual([true, true]);
  });

  test.each([
    [0x01, 1],
    [0x41, 4],
    [0x81, 8],
    [0xc1, 14],
  ])('with FCR %i, fewer than %i bytes are a timeout, and that many are data', (fcr, trigger) => {
    const { uart, type, load } = build();
    uart.store(FCR, 1, fcr);
    uart.store(IER, 1, 1);
    type('x'.repeat(trigger));
    expect(load(IIR)).toBe(0xc0 | RECEIVED);
    load(RBR);
    expect(load(IIR)).toBe(0xc0 | (trigger > 1 ? RECEIVE_TIMEOUT : NONE));
  });

  test('with the FIFOs off data is never a timeout', () => {
    const { uart, type, load } = build();
    uart.store(FCR, 1, 0xc0);
    uart.store(IER, 1, 1);
    type('x');
    expect(load(IIR)).toBe(RECEIVED);
  });

  test('received data goes before an empty transmitter, which is not settled by it', () => {
    const { uart, line, type, load } = build();
    uart.store(IER, 1, 3);
    type('a');
    expect(interruptOf(uart)).toBe(RECEIVED);
    load(RBR);
    expect(line.level).toBe(true);
    expect(interruptOf(uart)).toBe(TRANSMITTER_EMPTY);
    expect(line.level).toBe(false);
  });
});

describe('the UART, the rest', () => {
  test('DLAB puts the divisor in place of RBR, THR and IER', () => {
    const { uart, sent, load, type } = build();
    type('a');
    uart.store(IER, 1, 1);
    uart.store(LCR, 1, 0x83);
    uart.store(0, 1, 0x34);
    uart.store(1, 1, 0x12);
    expect([load(0), load(1)]).toEqual([0x34, 0x12]);
    uart.store(LCR, 1, 0x03);
    expect([load(0), load(1), load(LCR)]).toEqual([0x61, 1, 3]);
    expect(sent).toEqual([]);
  });

  test('SCR keeps a byte, IER and MCR keep the bits they have, and the modem is connected', () => {
    const { uart, load } = build();
    for (const register of [SCR, IER, MCR]) uart.store(register, 1, 0xff);
    expect([load(SCR), load(IER), load(MCR)]).toEqual([0xff, 0x0f, 0x1f]);
    uart.store(MCR, 1, 0);
    expect(load(MSR)).toBe(0xb0);
  });

  test('LSR and MSR are read-only', () => {
    const { uart, load } = build();
    uart.store(LSR, 1, 0xff);
    uart.store(MSR, 1, 0);
    expect([load(LSR), load(MSR)]).toEqual([0x60, 0xb0]);
  });

  test('IIR says whether the FIFOs are on', () => {
    const { uart, load } = build();
    expect(load(IIR)).toBe(NONE);
    uart.store(FCR, 1, 1);
    expect(load(IIR)).toBe(0xc0 | NONE);
    uart.store(FCR, 1, 0);
    expect(load(IIR)).toBe(NONE);
  });

  test('in loopback the guest receives its own bytes, and the host neither sends nor receives', () => {
    const { uart, sent, type } = build();
    uart.store(FCR, 1, 1);
    uart.store(MCR, 1, LOOPBACK);
    type('host');
    uart.store(THR, 1, 0x41);
    uart.store(THR, 1, 0x42);
    expect(readAll(uart)).toBe('AB');
    expect(sent).toEqual([]);
    uart.store(MCR, 1, 0);
    expect(readAll(uart)).toBe('host');
  });

  test.each([
    [0x01, 0x20],
    [0x02, 0x10],
    [0x04, 0x40],
    [0x08, 0x80],
  ])('in loopback MCR %i appears as MSR %i', (mcr, msr) => {
    const { uart, load } = build();
    uart.store(MCR, 1, LOOPBACK | mcr);
    expect(load(MSR)).toBe(msr);
  });

  test('a receiver reset discards bytes looped back', () => {
    const { uart } = build();
    uart.store(FCR, 1, 1);
    uart.store(MCR, 1, LOOPBACK);
    uart.store(THR, 1, 0x41);
    uart.store(FCR, 1, 3);
    expect(readAll(uart)).toBe('');
  });

  test.each([
    [0, 1],
    [1, 16],
  ])('with FCR %i, looping back more than %i bytes overruns, which LSR reports once', (fcr, depth) => {
    const { uart, line, load } = build();
    uart.store(FCR, 1, fcr);
    uart.store(IER, 1, 4);
    uart.store(MCR, 1, LOOPBACK);
    for (let index = 0; index < depth; index++) uart.store(THR, 1, 0x41);
    expect(line.level).toBe(false);
    uart.store(THR, 1, 0x42);
    expect(interruptOf(uart)).toBe(LINE_STATUS);
    expect(load(LSR) & 2).toBe(2);
    expect(line.level).toBe(false);
    expect(load(LSR) & 2).toBe(0);
    expect(readAll(uart)).toBe('A'.repeat(depth));
  });

  test('every width at every offset is answered', () => {
    touchEverything(build().uart, range(0x100));
  });

  test('a restored UART answers, transmits and interrupts as the saved one', () => {
    const storm = accesses(0x100, range(8));
    fc.assert(
      fc.property(storm, fc.string(), storm, storm, (first, typed, before, after) => {
        const original = build();
        perform(original.uart, first);
        original.type(typed);
        perform(original.uart, before);
        const copy = build();
        copy.uart.restore(structuredClone(original.uart.state()));
        expect(copy.line.calls).toEqual([]);
        expect(copy.uart.pendingInput).toBe(original.uart.pendingInput);
        original.sent.length = 0;
        original.line.calls.length = 0;
        expect(perform(copy.uart, after)).toEqual(perform(original.uart, after));
        expect(copy.sent).toEqual(original.sent);
        expect(copy.line.calls).toEqual(original.line.calls);
        expect(copy.uart.state()).toEqual(original.uart.state());
      }),
    );
  });

  test('a saved state does not change with the device', () => {
    const { uart, type, load } = build();
    uart.store(MCR, 1, LOOPBACK);
    uart.store(THR, 1, 0x41);
    type('abc');
    const saved = uart.state();
    const asSaved = structuredClone(saved);
    load(RBR);
    uart.store(SCR, 1, 1);
    type('d');
    expect(saved).toEqual(asSaved);
  });
});
