import { describe, expect, it } from 'vitest';
import type { Machine } from '../../src/machine/machine.js';
import { GdbClient } from '../support/gdb.js';
import { bootImage, runUntil } from '../support/images.js';

/** The number of the register that gdb calls priv. */
const PRIVILEGE = 4161;

const hex = (value: bigint | number): string => value.toString(16);

function atPrompt(options: { harts?: number } = {}): GdbClient {
  const { machine, text } = bootImage(options);
  runUntil(machine, text, '$ ');
  return new GdbClient(machine);
}

const word = (machine: Machine, physical: bigint): number => {
  const bytes = machine.readMemory(physical, 4)!;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
};

describe('a watchpoint on what is stored', () => {
  it('halts right after each store, on the hart that made it', () => {
    const client = atPrompt({ harts: 2 });
    const ticks = client.machine.symbols.address('ticks')!;
    client.ask(`Z2,${hex(ticks)},4`);
    for (let i = 0; i < 3; i++) {
      const before = word(client.machine, ticks);
      expect(client.go('c')).toMatch(new RegExp(`^T05thread:0[12];watch:${hex(ticks)};$`));
      expect(word(client.machine, ticks)).toBe(before + 1);
    }
  });

  it('is not hit by stores beside it, nor once it was taken away', () => {
    const client = atPrompt();
    const ticks = client.machine.symbols.address('ticks')!;
    client.ask(`Z2,${hex(ticks + 4n)},2`);
    expect(() => client.go('c', 30_000_000)).toThrow('no halt');
    client.sendRaw('\x03');
    client.take();
    client.ask(`Z2,${hex(ticks)},4`);
    client.ask(`z2,${hex(ticks)},4`);
    expect(() => client.go('c', 30_000_000)).toThrow('no halt');
  });

  it('changes nothing in the run', () => {
    const plain = bootImage({ harts: 2 }).machine;
    const client = new GdbClient(bootImage({ harts: 2 }).machine);
    const ticks = client.machine.symbols.address('ticks')!;
    client.ask(`Z4,${hex(ticks)},4`);
    for (let i = 0; i < 3; i++) client.go('c');
    client.ask('D');
    plain.run(60_000_000);
    while (client.machine.cycles < plain.cycles) client.target.run(plain.cycles - client.machine.cycles);
    expect(client.machine.hash()).toBe(plain.hash());
  });
});

describe('a watchpoint on what is loaded', () => {
  it('halts right after the load, with the store of the same word unnoticed', () => {
    const client = atPrompt();
    const ticks = client.machine.symbols.address('ticks')!;
    client.ask(`Z3,${hex(ticks)},4`);
    expect(client.go('c')).toBe(`T05thread:01;rwatch:${hex(ticks)};`);
    const { instret } = client.machine.harts[0];
    const before = word(client.machine, ticks);
    client.go('c');
    expect(word(client.machine, ticks)).toBe(before + 1);
    expect(client.machine.harts[0].instret).toBeGreaterThan(instret);
  });
});

describe('a watchpoint on memory', () => {
  it('that is not there is refused', () => {
    const client = new GdbClient(bootImage().machine);
    expect(client.ask('Z2,1000,8')).toBe('E0e');
    expect(client.ask('Z2,80000000,0')).toBe('E0e');
    expect(client.ask('Z2,80000000,ffffffffffff')).toBe('E0e');
  });

  it('stays with it when it is set again in another address space', () => {
    const client = atPrompt();
    const exec = client.machine.symbols.address('exec')!;
    client.ask(`Z0,${hex(exec)},2`);
    client.machine.type('echo hello\n');
    client.go('c');
    // The stack that the kernel has for this process is mapped where there is no physical memory.
    const stack = client.register(2) - 64n;
    expect(client.ask(`Z2,${hex(stack)},8`)).toBe('OK');
    client.ask(`z2,${hex(stack)},8`);
    const [supervisor, machine] = ['0100000000000000', '0300000000000000'];
    client.ask(`P${hex(PRIVILEGE)}=${machine}`);
    expect(client.ask(`m${hex(stack)},8`)).toBe('E0e');
    expect(client.ask(`Z2,${hex(stack)},8`)).toBe('OK');
    client.ask(`P${hex(PRIVILEGE)}=${supervisor}`);
    expect(client.go('c')).toContain(`watch:${hex(stack)}`);
  });
});
