/** What becomes of harts that a client does not name when it lets others go on: `scheduler-locking` in gdb. */
import { expect, describe, it } from 'vitest';
import { History } from '../../../src/debug/history/history.js';
import { OutputGate } from '../../../src/debug/history/output-gate.js';
import { GdbClient } from '../../support/gdb.js';
import { bootProgram } from '../../support/programs.js';

/** Every hart counts its rounds in s0. */
const COUNT = `
  work:
    addi s0, s0, 1
    j work
`;
const HARTS = 3;

function connect(): GdbClient {
  const machine = bootProgram(COUNT, { harts: HARTS });
  return new GdbClient(machine, new History(machine, new OutputGate(() => {}), 16 << 20));
}

const states = ({ machine }: GdbClient) => machine.harts.map(({ pc, steps }) => ({ pc, steps }));

/** Lets the guest run for so many cycles, and halts it. */
function runFor(client: GdbClient, packet: string, cycles: number): void {
  const { machine, target } = client;
  client.ask(packet);
  for (const end = machine.cycles + cycles; machine.cycles < end;) target.run(1000);
  client.sendRaw('\x03');
  client.take();
}

describe('harts that are not named', () => {
  it('stay where they are while another one steps, whichever it is', () => {
    const client = connect();
    runFor(client, 'vCont;c', 10_000);
    for (const hart of [0, 1, 2, 1]) {
      const before = states(client);
      for (let step = 0; step < 5; step++) {
        expect(client.go(`vCont;s:${hart + 1}`)).toBe(`T05thread:0${hart + 1};`);
      }
      const after = states(client);
      expect(after[hart].steps).toBe(before[hart].steps + 5);
      expect(after.toSpliced(hart, 1)).toEqual(before.toSpliced(hart, 1));
    }
  });

  it('stay where they are while another one runs, and go on with it when they are named again', () => {
    const client = connect();
    runFor(client, 'vCont;c', 10_000);
    const before = states(client);
    runFor(client, 'vCont;c:2', 20_000);
    const alone = states(client);
    expect(alone[1].steps).toBeGreaterThan(before[1].steps + 10_000);
    expect([alone[0], alone[2]]).toEqual([before[0], before[2]]);
    runFor(client, 'vCont;c', 20_000);
    states(client).forEach(({ steps }, hart) => expect(steps).toBeGreaterThan(alone[hart].steps));
  });

  it('go on where the stepping hart is named with an action for all', () => {
    const client = connect();
    for (const hart of [0, 1, 2]) client.go(`vCont;s:${hart + 1};c`);
    states(client).forEach(({ steps }) => expect(steps).toBeGreaterThan(0));
  });

  it('make no other run of it where it was none of their turns, as when a debugger steps over a breakpoint', () => {
    const client = connect();
    const plain = bootProgram(COUNT, { harts: HARTS });
    runFor(client, 'vCont;c', 10_000);
    client.ask('Z0,80000000,4');
    for (let round = 0; round < 10; round++) {
      const [, thread] = /^T05thread:0(\d);$/.exec(client.go('vCont;c'))!;
      client.ask('z0,80000000,4');
      client.go(`vCont;s:${thread}`);
      client.ask('Z0,80000000,4');
    }
    client.ask('z0,80000000,4');
    runFor(client, 'vCont;c', 10_000);
    plain.run(client.machine.cycles);
    expect(client.machine.hash()).toBe(plain.hash());
  });

  it('stood still in the past, too', () => {
    const client = connect();
    runFor(client, 'vCont;c', 10_000);
    const seen = [states(client)];
    for (const hart of [0, 0, 2, 2, 1]) {
      client.go(`vCont;s:${hart + 1}`);
      seen.push(states(client));
    }
    for (const [index, hart] of [1, 2, 2, 0].entries()) {
      client.ask(`Hc${hart + 1}`);
      client.go('bs');
      expect(states(client)).toEqual(seen[seen.length - 2 - index]);
    }
  });
});
