import { describe, expect, it } from 'vitest';
import { GdbClient } from '../../support/gdb.js';
import { remembered } from '../../support/remembered.js';

const hex = (value: bigint | number): string => value.toString(16);

function connect(harts = 2): GdbClient {
  const { machine, history } = remembered({ harts });
  return new GdbClient(machine, history);
}

describe('going back', () => {
  it('is offered where there is a history, and only there', () => {
    expect(connect().ask('qSupported')).toContain('ReverseStep+;ReverseContinue+');
    const without = new GdbClient(remembered().machine);
    expect(without.ask('qSupported')).not.toContain('Reverse');
    expect([without.ask('bs'), without.ask('bc')]).toEqual(['', '']);
  });

  it('comes to the breakpoints in the opposite order, and then to the beginning', () => {
    const client = connect();
    const { machine } = client;
    const kfree = machine.symbols.address('kfree')!;
    const exec = machine.symbols.address('exec')!;
    client.ask(`Z0,${hex(exec)},2`);
    const stops: [string, bigint, number][] = [];
    const note = (reply: string) =>
      [reply, client.register(10), machine.harts[0].steps] as [string, bigint, number];
    stops.push(note(client.go('c')));
    stops.push(note(client.go('c')));
    client.ask(`Z0,${hex(kfree)},2`);
    stops.push(note(client.go('c')), note(client.go('c')), note(client.go('c')));
    client.ask(`z0,${hex(kfree)},2`);
    expect(note(client.go('bc'))).toEqual(stops[1]);
    expect(note(client.go('bc'))).toEqual(stops[0]);
    expect(client.go('bc')).toBe('T05thread:01;replaylog:begin;');
    expect(machine.cycles).toBe(0);
    expect(note(client.go('c'))).toEqual(stops[0]);
  });

  it('a step at a time undoes steps, and steps undo that', () => {
    const client = connect(1);
    client.ask(`Z0,${hex(client.machine.symbols.address('exec')!)},2`);
    client.go('c');
    const states = [client.ask('g')];
    for (let i = 0; i < 20; i++) {
      client.go('s');
      states.push(client.ask('g'));
    }
    for (let i = 19; i >= 0; i--) {
      client.go('bs');
      expect(client.ask('g')).toBe(states[i]);
    }
    expect(client.go('bs')).toBe('T05thread:01;');
    client.go('s');
    expect(client.ask('g')).toBe(states[0]);
    client.go('s');
    expect(client.go('bc')).toBe('T05thread:01;');
    expect(client.ask('g')).toBe(states[0]);
    expect(client.go('bc')).toContain('begin');
  });

  it('comes to before the store that a watchpoint is about', () => {
    const client = connect(1);
    const ticks = client.machine.symbols.address('ticks')!;
    client.ask(`Z2,${hex(ticks)},4`);
    client.go('c');
    client.go('c');
    expect(client.ask(`m${hex(ticks)},4`)).toBe('02000000');
    expect(client.go('bc')).toBe(`T05thread:01;watch:${hex(ticks)};`);
    expect(client.ask(`m${hex(ticks)},4`)).toBe('01000000');
    client.go('s');
    expect(client.ask(`m${hex(ticks)},4`)).toBe('02000000');
  });

  it('can be interrupted, and is then where it began', () => {
    const client = connect();
    const { machine } = client;
    client.ask(`Z0,${hex(machine.symbols.address('exec')!)},2`);
    client.go('c');
    client.go('c');
    client.ask(`z0,${hex(machine.symbols.address('exec')!)},2`);
    const [moment, hash] = [machine.moment, machine.hash()];
    client.ask('bc');
    client.target.run(1);
    client.target.run(1);
    expect(machine.moment).not.toEqual(moment);
    client.sendRaw('\x03');
    expect(client.take()).toMatch(/^\$T02/);
    expect(machine.moment).toEqual(moment);
    expect(machine.hash()).toBe(hash);
  });
});
