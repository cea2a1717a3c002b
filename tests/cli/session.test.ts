import { describe, expect, test } from 'vitest';
import { OutputBuffer } from '../../src/cli/output-buffer.js';
import { Session, type Ending, type SessionOptions, type TrapReport } from '../../src/cli/session.js';
import { FakeGuest, shell, type Program } from './fake-guest.js';

/** Runs a session to its end, or through so many slices; the wall clock advances a millisecond each. */
function runSession(program: Program, options: Partial<SessionOptions> = {}, slices = 20_000) {
  const output = new OutputBuffer();
  const guest = new FakeGuest(output, program);
  let millis = 0;
  const session = new Session(guest, output, {
    harts: 2,
    commands: [],
    prompt: /^\$ /,
    interactive: false,
    timeoutSeconds: Infinity,
    now: () => millis,
    ...options,
  });
  if (!options.interactive) session.endInput();
  let printed = '';
  const notices: string[] = [];
  let ending: Ending | undefined;
  for (let slice = 0; slice < slices && !ending; slice++) {
    const step = session.step();
    printed += Buffer.from(step.output).toString();
    if (step.notice) notices.push(step.notice);
    ending = step.ending;
    if (!ending && step.idleSeconds > 0) {
      const seconds = Math.min(step.idleSeconds, 1);
      session.passIdle(seconds);
      millis += 1000 * seconds;
    }
    millis++;
  }
  return { guest, session, printed, notices, ending, millis };
}

const echo = shell(function* (guest, line) {
  guest.print(`${line}!\n`);
});

/** xv6's `panic`: prints, sets `panicked`, spins. */
const panics: Program = function* (guest) {
  guest.symbolTable.set('panicked', 0x8000_1000n);
  guest.memory.set(0x8000_1000n, Uint8Array.of(0, 0, 0, 0));
  guest.print('booting\npanic: ');
  yield { busySeconds: 0.01 };
  guest.print('remap\n');
  guest.memory.set(0x8000_1000n, Uint8Array.of(1, 0, 0, 0));
  yield { busySeconds: 0.002 };
  guest.print('backtrace:\n');
  yield { busySeconds: Infinity };
};

describe('a guest that a debugger has halted', () => {
  const halted: Program = function* () {
    for (;;) yield { kind: 'paused' };
  };

  test('is left alone, for as long as it takes', () => {
    const { ending } = runSession(halted, { commands: ['one'] }, 100);
    expect(ending).toBeUndefined();
  });

  test('is given up on when the time is up', () => {
    expect(runSession(halted, { timeoutSeconds: 5 }).ending).toMatchObject({ exitCode: 4 });
  });
});

describe('commands', () => {
  test('are typed one at each prompt, and the prompt after the last ends the session with 0', () => {
    const { printed, ending } = runSession(echo, { commands: ['one', 'two'] });
    expect(printed).toBe('booting\n$ one\none!\n$ two\ntwo!\n$ ');
    expect(ending).toEqual({ exitCode: 0 });
  });

  test('are not typed at a prompt that is only part of a longer line', () => {
    const program: Program = function* (guest) {
      guest.print('price: $ ');
      yield { busySeconds: 1 };
      guest.print('5\n$ 7 more\n');
      yield { busySeconds: 1 };
    };
    const { guest, ending } = runSession(program, { commands: ['ls'] }, 380);
    expect(ending).toBeUndefined();
    expect(guest.pendingInput).toBe(0);
  });

  test('are not typed in the middle of a line that begins like the prompt', () => {
    const program: Program = function* (guest) {
      // The first slice ends with the prompt's own characters printed last.
      yield { busySeconds: 0.0045 };
      guest.print('$ ');
      yield { busySeconds: 0.0025 };
      guest.print('is a dollar sign\n');
      yield { busySeconds: 1 };
    };
    expect(runSession(program, { commands: ['ls'] }, 100).guest.pendingInput).toBe(0);
  });

  test('find the prompt of a guest that does not echo and prints nothing', () => {
    const program: Program = function* (guest) {
      for (;;) {
        guest.print('$ ');
        yield { waitSeconds: Infinity };
        guest.dropInput();
      }
    };
    const { printed, ending } = runSession(program, { commands: ['a', 'b'] });
    expect(printed).toBe('$ $ $ ');
    expect(ending).toEqual({ exitCode: 0 });
  });

  test('wait for the prompt that the user describes', () => {
    const program: Program = function* (guest) {
      guest.print('login: ');
      const name = yield* guest.readLine();
      guest.print(`hello ${name}\nlogin: `);
    };
    const { printed, ending } = runSession(program, { commands: ['root'], prompt: /login: / });
    expect(printed).toBe('login: root\nhello root\nlogin: ');
    expect(ending).toEqual({ exitCode: 0 });
  });

  test('run in virtual time: a guest that sleeps for a minute costs none', () => {
    const sleeper = shell(function* () {
      yield { waitSeconds: 60 };
    });
    const { ending, guest } = runSession(sleeper, { commands: ['sleep'] }, 70_000);
    expect(ending).toEqual({ exitCode: 0 });
    expect(guest.cycles).toBeGreaterThan(0);
  });
});

describe('an expectation', () => {
  test('alone ends the session with 0 as soon as a line matches, finished or not', () => {
    const program: Program = function* (guest) {
      guest.print('starting\nALL TESTS PASSED');
      yield { busySeconds: Infinity };
    };
    expect(runSession(program, { expect: /^ALL TESTS/ }).ending).toEqual({ exitCode: 0 });
  });

  test('is judged after the last command where there are commands', () => {
    const met = runSession(echo, { commands: ['one', 'two'], expect: /^one!$/ });
    expect(met.printed).toContain('two!');
    expect(met.ending).toEqual({ exitCode: 0 });
    const missed = runSession(echo, { commands: ['one'], expect: /three/ });
    expect(missed.ending).toEqual({ exitCode: 1, message: 'no line of output matched /three/' });
  });

  test('that is not met makes 1 of a guest that powers off', () => {
    const off: Program = function* () {
      yield { kind: 'finished', code: 0 };
    };
    expect(runSession(off, { expect: /x/ }).ending?.exitCode).toBe(1);
    expect(runSession(off).ending).toEqual({ exitCode: 0 });
  });
});

describe('a trap that the guest reports', () => {
  const reports = (...lines: string[]): Program =>
    function* (guest) {
      for (const line of lines) guest.print(line);
      yield { kind: 'finished', code: 0 };
    };
  const reported = (program: Program): TrapReport[] => {
    const seen: TrapReport[] = [];
    const explainTrap = (report: TrapReport) => void seen.push(report);
    runSession(program, { explainTrap });
    return seen;
  };

  test('is explained, by the words of one line or of two', () => {
    const old = reports(
      'usertrap(): unexpected scause 0xf pid=3\n',
      '            sepc=0x0000000000000012 stval=0x0000000000fe\n',
    );
    const title = 'usertrap(): unexpected scause 0xf pid=3 sepc=0x0000000000000012 stval=0x0000000000fe';
    expect(reported(old)).toEqual([{ title, pc: 0x12, value: 0xfen }]);
    const line = 'pid 3 (sh) killed: store page fault, sepc 0x12, stval 0xfe';
    expect(reported(reports(`${line}\n`))).toEqual([{ title: line, pc: 0x12, value: 0xfen }]);
  });

  test('is not before its line is finished', () => {
    expect(reported(reports('sepc=0x12 stval=0xf'))).toEqual([]);
  });
});

describe('a guest that ends', () => {
  const finishes = (code: number): Program =>
    function* () {
      yield { kind: 'finished', code, message: 'test 7 failed' };
    };

  test('with a code hands it on, with its message', () => {
    expect(runSession(finishes(7)).ending).toEqual({ exitCode: 7, message: 'test 7 failed' });
  });

  test('with a code of nine bits never looks like success', () => {
    expect(runSession(finishes(256)).ending?.exitCode).toBe(255);
  });

  test('before every command was typed fails the run', () => {
    const { ending } = runSession(finishes(0), { commands: ['ls'] });
    expect(ending).toEqual({ exitCode: 1, message: 'the guest ended before it took "ls"' });
  });

  test('by a reset ends the session too', () => {
    const reset: Program = function* () {
      yield { kind: 'reset' };
    };
    expect(runSession(reset).ending).toEqual({ exitCode: 0, message: 'the guest reset the machine' });
    expect(runSession(reset, { commands: ['ls'] }).ending).toEqual({
      exitCode: 1,
      message: 'the guest reset the machine before it took "ls"',
    });
  });

  test('stuck ends with 3 and the sentence that says how', () => {
    const stuck: Program = function* () {
      yield { kind: 'stuck', message: 'hart 0 traps in its own trap handler' };
    };
    expect(runSession(stuck).ending).toEqual({
      exitCode: 3,
      message: 'hart 0 traps in its own trap handler',
    });
  });
});

describe('a panic', () => {
  test('ends a batch run with 3 and its whole line, after what follows was printed', () => {
    const { printed, ending } = runSession(panics);
    expect(printed).toBe('booting\npanic: remap\nbacktrace:\n');
    expect(ending).toEqual({ exitCode: 3, message: 'the guest panicked: panic: remap' });
  });

  test('is reported once to a person at the terminal, who decides when to leave', () => {
    const { ending, notices } = runSession(panics, { interactive: true }, 500);
    expect(ending).toBeUndefined();
    expect(notices).toEqual(['the guest panicked; Ctrl-A x ends the session']);
  });

  test('is not believed of a user program while the kernel says it has not panicked', () => {
    const program = shell(function* (guest) {
      guest.symbolTable.set('panicked', 0x8000_1000n);
      guest.memory.set(0x8000_1000n, Uint8Array.of(0, 0, 0, 0));
      guest.print('panic: only a word\n');
      yield { busySeconds: 0.05 };
    });
    expect(runSession(program, { commands: ['say'] }).ending).toEqual({ exitCode: 0 });
  });

  test('is believed of a kernel without the symbol, prompt or not', () => {
    const program = shell(function* (guest) {
      guest.print('panic: alone\n');
    });
    expect(runSession(program, { commands: ['a', 'b'] }).ending?.exitCode).toBe(3);
  });

  test('names the first of several', () => {
    const program: Program = function* (guest) {
      guest.print('panic: first\npanic: second\n');
      yield { busySeconds: Infinity };
    };
    expect(runSession(program).ending?.message).toBe('the guest panicked: panic: first');
  });
});

describe('giving up', () => {
  test('a timeout ends with 4, the last line of output and where each hart is', () => {
    const hangs: Program = function* (guest) {
      guest.print('xv6 kernel is booting\n\n');
      yield { busySeconds: Infinity };
    };
    const { ending, millis } = runSession(hangs, { commands: ['ls'], timeoutSeconds: 2 });
    expect(millis).toBeCloseTo(2000, -1);
    expect(ending?.exitCode).toBe(4);
    expect(ending?.message?.split('\n')).toEqual([
      'timed out after 2 s, with "ls" still to be typed at a prompt',
      'last output: xv6 kernel is booting',
      'hart 0: pc 0x80000000 (spin)',
      'hart 1: pc 0x80000000 (spin)',
    ]);
  });

  test('a timeout is not slept through by an idle guest', () => {
    const waits: Program = function* () {
      yield { waitSeconds: 1e6 };
    };
    const { ending, millis } = runSession(waits, { timeoutSeconds: 2.5 });
    expect(ending?.exitCode).toBe(4);
    expect(millis).toBeLessThan(2600);
  });

  test('a guest that sleeps for ever ends with 4 at once when nobody is left to wake it', () => {
    const { ending, millis } = runSession(function* () {}, { expect: /never/ });
    expect(ending?.exitCode).toBe(4);
    expect(ending?.message).toMatch(/^every hart waits for an interrupt, and none can come\n/);
    expect(millis).toBeLessThan(10);
  });

  test('quotes only the end of an endless line', () => {
    const endless: Program = function* (guest) {
      guest.print('a'.repeat(100_000));
      yield { busySeconds: Infinity };
    };
    expect(runSession(endless, { timeoutSeconds: 0.1 }).ending?.message?.length).toBeLessThan(400);
  });
});

describe('idle time', () => {
  test('passes at the pace of the clock where only typing drives the guest', () => {
    const output = new OutputBuffer();
    const guest = new FakeGuest(output, function* () {
      yield { waitSeconds: 10 };
    });
    const options = {
      harts: 1,
      commands: [],
      prompt: /^\$ /,
      interactive: true,
      timeoutSeconds: 4,
      now: () => 0,
    };
    const session = new Session(guest, output, options);
    expect(session.step().idleSeconds).toBe(4);
    session.passIdle(3.5);
    expect(new Session(guest, output, { ...options, timeoutSeconds: Infinity }).step().idleSeconds).toBe(6.5);
  });

  test('is not waited for while there is output to show or input to take', () => {
    const output = new OutputBuffer();
    const guest = new FakeGuest(output, echo);
    const options = {
      harts: 1,
      commands: [],
      prompt: /^\$ /,
      interactive: true,
      timeoutSeconds: 9,
      now: () => 0,
    };
    const session = new Session(guest, output, options);
    const idleSeconds = Array.from({ length: 6 }, () => session.step().idleSeconds);
    expect(idleSeconds.slice(0, 3)).toEqual([0, 0, 0]);
    expect(idleSeconds.at(-1)).toBe(9);
    session.type(Buffer.from('hi\n'));
    const { output: printed, idleSeconds: wait } = session.step();
    expect([Buffer.from(printed).toString(), wait]).toEqual(['hi\nhi!\n$ ', 0]);
  });
});
