import { describe, expect, it } from 'vitest';
import { bootImage, runUntil } from '../../support/images.js';
import { GdbClient } from '../../support/gdb.js';

const hex = (value: bigint | number): string => value.toString(16);

/** A client of a machine that has not run yet. */
const connect = (harts = 1): GdbClient => new GdbClient(bootImage({ harts }).machine);

/** A client of a machine that waits at its prompt. */
function connectAtPrompt(harts = 1): GdbClient {
  const { machine, text } = bootImage({ harts });
  runUntil(machine, text, '$ ');
  return new GdbClient(machine);
}

describe('the way that grade scripts speak', () => {
  it('needs no greeting and no acknowledgements', () => {
    const client = connect();
    const exec = client.machine.symbols.address('exec')!;
    const body = `Z1,${hex(exec)},1`;
    const sum = [...body].reduce((total, character) => total + character.charCodeAt(0), 0) & 0xff;
    client.sendRaw(`$${body}#${hex(sum).padStart(2, '0')}`);
    expect(client.take()).toBe('+$OK#9a');
    client.sendRaw('$c#63');
    expect(client.take()).toBe('+');
    expect(client.wait()).toBe('T05thread:01;');
    expect(client.pc).toBe(exec);
  });
});

describe('registers', () => {
  it('are read one by one and all at once, and written both ways', () => {
    const client = connectAtPrompt();
    expect(client.ask('P0a=efcdab8967452301')).toBe('OK');
    expect(client.machine.harts[0].x[10]).toBe(0x0123_4567_89ab_cdefn);
    const all = client.ask('g')!;
    expect(all).toHaveLength(33 * 16);
    expect(all.slice(160, 176)).toBe('efcdab8967452301');
    expect(client.ask(`G${all.slice(0, 160)}0000000000000080${all.slice(176)}`)).toBe('OK');
    expect(client.machine.harts[0].x[10]).toBe(-(1n << 63n));
  });

  it('are, with the CSRs and the privilege mode, what the target description numbers', () => {
    const client = connectAtPrompt();
    const description = client.ask('qXfer:features:read:target.xml:0,ffff')!;
    const [, satp] = /name="satp" bitsize="64" regnum="(\d+)"/.exec(description)!;
    const [, privilege] = /name="priv" bitsize="64" regnum="(\d+)"/.exec(description)!;
    expect(Number(satp)).toBe(65 + 0x180);
    expect(client.register(Number(satp)) >> 60n).toBe(8n);
    expect(client.register(Number(privilege))).toBe(BigInt(client.machine.harts[0].mode));
  });

  it('that do not exist or cannot be written are refused', () => {
    const client = connect();
    for (const packet of ['pffff', 'p', 'P20', 'P20=12', 'Pffff=0000000000000000', 'G00']) {
      expect(client.ask(packet)).toMatch(/^E/);
    }
  });
});

describe('memory', () => {
  it('is what the hart translates its addresses to, without a trace left in the page table', () => {
    const client = connectAtPrompt();
    const { machine } = client;
    const ticks = machine.symbols.address('ticks')!;
    const before = machine.hash();
    const trampoline = 0x3f_ffff_f000n;
    expect(client.ask(`m${hex(trampoline)},8`)).toMatch(/^[0-9a-f]{16}$/);
    expect(client.ask(`m${hex(ticks)},4`)).toMatch(/^[0-9a-f]{8}$/);
    expect(machine.hash()).toBe(before);
  });

  it('that is not mapped is an error, and ends what is read before it', () => {
    const client = connect();
    expect(client.ask('m10,8')).toBe('E0e');
    expect(client.ask('m7ffffffe,4')).toBe('E0e');
    const end = 0x8000_0000 + client.machine.board.memoryBytes;
    expect(client.ask(`m${hex(end - 4096)},2000`)).toHaveLength(2 * 4096);
    expect(client.ask(`M${hex(end - 2)},4:00000000`)).toBe('E0e');
  });

  it('is written in digits and in bytes, of which some are escaped', () => {
    const client = connect();
    expect(client.ask('M80100000,4:01020304')).toBe('OK');
    expect(client.ask('X80100004,4:a#$}')).toBe('OK');
    expect(client.ask('m80100000,8')).toBe('0102030461' + '23247d');
    expect(client.ask('M80100000,4:010203')).toMatch(/^E/);
    expect(client.ask('M80100000')).toMatch(/^E/);
  });

  it('of code can be changed while it is being executed', () => {
    const client = connectAtPrompt();
    const { pc } = client;
    client.ask(`M${hex(pc)},2:01a0`); // c.j 0: jumps to itself
    for (let i = 0; i < 3; i++) client.go('s');
    expect(client.pc).toBe(pc);
  });
});

describe('threads', () => {
  it('are the harts, one by one', () => {
    const client = connect(3);
    expect(client.ask('qfThreadInfo')).toBe('m01,02,03');
    expect(client.ask('qsThreadInfo')).toBe('l');
    expect(client.ask('qC')).toBe('QC01');
    expect(client.ask('T3')).toBe('OK');
    expect(client.ask('T4')).toMatch(/^E/);
    expect(client.ask('Hg2')).toBe('OK');
    expect(client.register(10)).toBe(1n);
    expect(client.ask('Hg9')).toMatch(/^E/);
  });

  it('step one by one', () => {
    const client = connect(3);
    const [first, second] = client.machine.harts;
    expect(client.go('vCont;s:2;c')).toBe('T05thread:02;');
    expect(second.steps).toBe(1);
    client.ask('Hc1');
    const { steps } = first;
    expect(client.go('s')).toBe('T05thread:01;');
    expect(first.steps).toBe(steps + 1);
  });
});

describe('an interrupt', () => {
  it('halts a guest that runs, and tells which thread is looked at', () => {
    const client = connectAtPrompt(2);
    client.ask('Hg2');
    client.ask('vCont;c');
    client.target.run(100_000);
    client.sendRaw('\x03');
    expect(client.take()).toMatch(/^\$T02thread:02;#/);
    expect(client.target.run(100_000)).toEqual({ kind: 'paused' });
  });
});

describe('time', () => {
  it('that passes while the guest is halted is none of the guest', () => {
    const client = connectAtPrompt();
    client.ask(`Z0,${hex(client.machine.symbols.address('exec')!)},2`);
    client.machine.type('echo\n');
    client.go('c');
    const { cycles } = client.machine.harts[0];
    client.target.passIdle(1_000_000);
    expect(client.machine.harts[0].cycles).toBe(cycles);
  });
});

describe('a client that goes', () => {
  it('leaves the guest running, without breakpoints', () => {
    for (const leave of [(c: GdbClient) => c.ask('D'), (c: GdbClient) => c.connection.close()]) {
      const client = connectAtPrompt();
      client.ask(`Z0,${hex(client.machine.symbols.address('exec')!)},2`);
      leave(client);
      client.machine.type('echo\n');
      expect(client.target.run(100_000_000).kind).not.toBe('paused');
    }
  });

  it('may want the guest to end', () => {
    const client = connect();
    client.ask('k');
    expect(client.killed).toBe(true);
  });
});

describe('a packet', () => {
  it('that is damaged is asked for again', () => {
    const client = connect();
    client.sendRaw('$qC#00');
    expect(client.take()).toBe('-');
    client.sendRaw('$qC#b4');
    expect(client.take()).toBe('+$QC01#f5');
    client.sendRaw('-');
    expect(client.take()).toBe('$QC01#f5');
  });

  it('needs no acknowledgement once both have agreed on that', () => {
    const client = connect();
    client.ask('QStartNoAckMode');
    client.sendRaw('$qC#b4');
    expect(client.take()).toBe('$QC01#f5');
  });

  it('that is not known gets an empty answer', () => {
    const client = connect();
    for (const name of ['vMustReplyEmpty', 'R00', '!', 'qTStatus', '']) expect(client.ask(name)).toBe('');
  });
});
