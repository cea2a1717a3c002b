import { describe, expect, it } from 'vitest';
import { GdbClient } from '../../support/gdb.js';
import { bootImage, runUntil } from '../../support/images.js';
import { remembered } from '../../support/remembered.js';

const hex = (value: bigint | number): string => value.toString(16);

/** What a client prints of the packets that answer a monitor command. */
const printed = (packets: string): string =>
  [...packets.matchAll(/\$O([0-9a-f]+)#/g)]
    .map(([, digits]) => Buffer.from(digits, 'hex').toString())
    .join('');

function monitor(client: GdbClient, line: string): string {
  client.take();
  client.connection.receive(packetOf(line));
  for (let i = 0; i < 10_000 && !client.target.isHalted; i++) client.target.run(100_000);
  const packets = client.take();
  expect(packets).toMatch(/\$OK#9a$/);
  return printed(packets);
}

function packetOf(line: string): Uint8Array {
  const body = `qRcmd,${Buffer.from(line).toString('hex')}`;
  const sum = [...body].reduce((total, character) => total + character.charCodeAt(0), 0) & 0xff;
  return Buffer.from(`$${body}#${hex(sum).padStart(2, '0')}`);
}

function atPrompt(): GdbClient {
  const { machine, text } = bootImage({ harts: 2 });
  runUntil(machine, text, '$ ');
  return new GdbClient(machine);
}

describe('monitor', () => {
  it('tells about harts, page table, memory and devices', () => {
    const client = atPrompt();
    expect(monitor(client, 'help')).toContain('monitor walk ADDRESS');
    expect(monitor(client, 'info harts')).toMatch(/hart 0: pc .*\n[^]*hart 1: pc .*/);
    expect(monitor(client, 'devices')).toContain('0x10000000 to 0x100000ff: uart, interrupt 10');
    expect(monitor(client, 'pagetable')).toMatch(/0x10000000 to 0x10000000, 0x2000 bytes, DA...WRV/);
    expect(monitor(client, 'frames')).toMatch(/32768 frames of 4096 bytes\n[^]*filled with 0x1, as kfree/);
  });

  it('explains a translation level by level, as the machine makes it', () => {
    const client = atPrompt();
    const text = monitor(client, 'walk 0x3ffffff010');
    const [, physical] = /physical address 0x([0-9a-f]+)/.exec(text)!;
    expect(text.match(/^level \d/gm)).toEqual(['level 2', 'level 1', 'level 0']);
    const word = client.ask('m3ffffff010,4')!;
    expect(monitor(client, `physical ${physical} 4`)).toBe(`0x${physical}: ${word}\n`);
    expect(monitor(client, 'walk 0')).toMatch(/not valid \(V=0\)\n0x0: not mapped/);
  });

  it('says in a sentence what it cannot do', () => {
    const client = atPrompt();
    expect(monitor(client, 'nonsense')).toBe('there is no command "nonsense"; "monitor help" lists them\n');
    expect(monitor(client, 'walk')).toBe('an address is missing, in hexadecimal\n');
    expect(monitor(client, 'physical 10')).toBe('there is no RAM at 0x10\n');
    expect(monitor(client, 'last-write 80000000')).toBe('there is no way back without --history\n');
    expect(client.ask('qRcmd,xyz')).toMatch(/^E/);
  });

  it('goes back to the instruction that stored last, and to named moments', () => {
    const { machine, history } = remembered();
    const client = new GdbClient(machine, history);
    const ticks = machine.symbols.address('ticks')!;
    client.ask(`Z2,${hex(ticks)},4`);
    client.go('c');
    client.go('c');
    client.ask(`z2,${hex(ticks)},4`);
    expect(monitor(client, 'save here')).toBe('saved as here\n');
    const hash = machine.hash();
    expect(monitor(client, `last-write ${hex(ticks)} 4`)).toMatch(/^thread \d is hart \d: pc 0x/);
    expect(client.ask(`m${hex(ticks)},4`)).toBe('01000000');
    client.go('s');
    expect(client.ask(`m${hex(ticks)},4`)).toBe('02000000');
    expect(monitor(client, 'load here')).toMatch(/^thread/);
    expect(machine.hash()).toBe(hash);
    expect(monitor(client, 'load there')).toBe('this run has no moment named "there"\n');
    expect(monitor(client, 'last-write 80000000')).toMatch(/^nothing was found; at the beginning of the run/);
  });
});
