/** `rvemu dap` as an editor sees it, with the project's kernel. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Editor } from '../../support/editor.js';
import { RVEMU } from '../../support/process.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pathOf = (file: string): string => join(root, 'images', file);

/** The number of the first line of a source file that has this text. */
const lineOf = (file: string, text: string): number =>
  readFileSync(pathOf(file), 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1;

const thread = { threadId: 1 };
const instruction = { ...thread, granularity: 'instruction' } as const;

let editor: Editor;
beforeEach(async () => {
  editor = new Editor();
  await editor.start();
});
afterEach(async () => {
  await editor.end();
});

const setLines = async (file: string, lines: number[]) => {
  const breakpoints = lines.map((line) => ({ line }));
  const { body } = await editor.setBreakpointsRequest({ source: { path: pathOf(file) }, breakpoints });
  return body.breakpoints;
};

/** The source line that thread 1 is at. */
const lineNow = async (): Promise<number> => (await editor.stack())[0].line;

const register = async (name: string): Promise<string> => {
  const [{ id }] = await editor.stack();
  const { scopes } = (await editor.scopesRequest({ frameId: id })).body;
  const lists = await Promise.all(scopes.map((scope) => editor.variablesRequest(scope)));
  return lists.flatMap(({ body }) => body.variables).find((each) => each.name === name)!.value;
};

describe('a launched guest', () => {
  it('prints, does what it is told to, and ends with its exit code', async () => {
    const ended = editor.waitForEvent('terminated', 60_000);
    const exited = editor.waitForEvent('exited', 60_000);
    await editor.begin({ run: ['echo hello'] });
    expect((await exited).body).toEqual({ exitCode: 0 });
    await ended;
    expect(editor.outputs.stdout).toMatch(/\$ echo hello\s+hello/);
    expect(await editor.end()).toBe(0);
  });

  it('takes lines that are typed in the debug console', async () => {
    await editor.begin({ harts: 1 });
    while (!editor.outputs.stdout.endsWith('$ ')) await editor.waitForEvent('output');
    await editor.evaluateRequest({ expression: '> echo typed', context: 'repl' });
    while (!/\ntyped\s/.test(editor.outputs.stdout)) await editor.waitForEvent('output');
  });

  it('has its harts for threads, and is halted before its first instruction where that is asked for', async () => {
    const stopped = await editor.untilStopped(() => editor.begin({ harts: 2, stopOnEntry: true }));
    expect(stopped).toMatchObject({ reason: 'entry', threadId: 1, allThreadsStopped: true });
    const { threads } = (await editor.threadsRequest()).body;
    expect(threads).toEqual([
      { id: 1, name: 'hart 0' },
      { id: 2, name: 'hart 1' },
    ]);
    expect(await register('pc')).toMatch(/^0x80000000/);
    expect(await register('priv')).toBe('3 (machine)');
  });

  it('can be paused', async () => {
    await editor.begin({ harts: 1 });
    while (!editor.outputs.stdout.endsWith('$ ')) await editor.waitForEvent('output');
    const stopped = await editor.untilStopped(() => editor.pauseRequest(thread));
    expect(stopped.reason).toBe('pause');
    await expect(editor.pauseRequest(thread)).resolves.toMatchObject({ success: true });
  });

  it.each([
    [{ harts: 9 }, '"harts" must be a whole number from 1 to 8'],
    [{ memory: 'much' }, '"memory" cannot be much: Write a size such as 128M or 1G'],
    [{ run: 'ls' }, '"run" must be a list of texts'],
    [{ kernel: '/nowhere/kernel' }, 'kernel /nowhere/kernel: no such file or directory'],
    [{ cwd: '/nowhere' }, 'cwd /nowhere: no such directory'],
  ])('that cannot be, %j, is told in one sentence', async (launch, sentence) => {
    await expect(editor.launch(launch)).rejects.toThrow(sentence);
  });

  it('is missed, in one sentence, where none was launched', async () => {
    await editor.initializeRequest();
    await expect(editor.threadsRequest()).rejects.toThrow('no guest has been launched yet');
  });
});

describe('an editor', () => {
  it('that hangs up ends the adapter, whatever the guest does', async () => {
    await editor.begin({ harts: 1 });
    expect(await editor.end()).toBe(0);
  });

  it('may never speak', () => {
    const [command, ...words] = [...RVEMU, 'dap'];
    expect(spawnSync(command, words, { input: '' }).status).toBe(0);
    expect(spawnSync(command, words, { stdio: 'ignore' }).status).toBe(0);
  });
});

describe('breakpoints', () => {
  it('hold at lines, the next ones that have code, and say where there are none', async () => {
    const file = 'kernel/alloc.c';
    const push = lineOf(file, 'frame->next = free_list.first');
    await Promise.all([editor.launch({ harts: 1 }), editor.waitForEvent('initialized')]);
    const [first, onBrace, beyond] = await setLines(file, [push, push - 1, 9999]);
    expect(first).toMatchObject({ verified: true, line: push });
    expect(onBrace).toMatchObject({ verified: true, line: push });
    expect(beyond).toMatchObject({ verified: false, message: 'no code comes from this line' });
    const stopped = await editor.untilStopped(() => editor.configurationDoneRequest());
    expect(stopped).toMatchObject({ reason: 'breakpoint', hitBreakpointIds: [first.id, onBrace.id] });
    const [top, caller] = await editor.stack();
    expect(top.source!.path).toBe(pathOf(file));
    expect([top.line, caller.name]).toEqual([push, expect.stringMatching(/\+0x/)]);
  });

  it('hold at functions, and no more when they are taken away', async () => {
    const stopped = await editor.untilStopped(() => editor.begin({ harts: 1, run: ['ls'] }, ['exec']));
    expect(stopped.reason).toBe('function breakpoint');
    expect(await editor.place()).toMatch(/^exec exec\.c:/);
    const [nowhere] = await editor.breakAt('no_such_function');
    expect(nowhere).toMatchObject({ verified: false, message: expect.stringContaining('no_such_function') });
    const exited = editor.waitForEvent('exited', 60_000);
    await editor.continueRequest(thread);
    expect((await exited).body.exitCode).toBe(0);
  });

  it('hold at instructions', async () => {
    await editor.untilStopped(() => editor.begin({ harts: 1, stopOnEntry: true }));
    const breakpoints = [{ instructionReference: 'kalloc', offset: 0 }];
    await editor.customRequest('setInstructionBreakpoints', { breakpoints });
    const stopped = await editor.untilStopped(() => editor.continueRequest(thread));
    expect(stopped.reason).toBe('instruction breakpoint');
    expect(await register('pc')).toMatch(/<kalloc>$/);
  });
});

describe('a panic', () => {
  const panic = async () => {
    await editor.untilStopped(() => editor.begin({ harts: 1 }, ['kfree']));
    await editor.breakAt();
    const variable = { variablesReference: 1, name: 'a0', value: '0x123' };
    await editor.setVariableRequest(variable);
  };

  it('is an exception, with its words, an explanation, and a way back', async () => {
    await panic();
    const stopped = await editor.untilStopped(() => editor.continueRequest(thread));
    expect(stopped).toMatchObject({ reason: 'exception', text: expect.stringContaining('panic: kfree: ') });
    const { body } = await editor.exceptionInfoRequest(thread);
    expect(body).toMatchObject({ exceptionId: 'panic', description: stopped.text });
    expect(editor.outputs.console).toContain('why: panic: kfree: ');
    const [inner, caller] = await editor.stack();
    expect([inner.name, caller.name]).toEqual(['panic', expect.stringMatching(/^kfree\+/)]);
    await editor.untilStopped(() => editor.stepBackRequest(thread));
    expect(await editor.place()).toMatch(/^kfree/);
    await expect(editor.exceptionInfoRequest(thread)).rejects.toThrow('not stopped for a failure');
  });

  it('is none where exceptions are not asked for', async () => {
    await panic();
    await editor.setExceptionBreakpointsRequest({ filters: [] });
    await editor.continueRequest(thread);
    while (!editor.outputs.stdout.includes('panic: kfree: 0x123')) await editor.waitForEvent('output');
  });
});

describe('a step', () => {
  const file = 'kernel/exec.c';
  const beginInExec = () => editor.untilStopped(() => editor.begin({ harts: 1 }, ['exec']));

  it('goes to the next line, through calls, into them, and out of them', async () => {
    const call = lineOf(file, '= proc_pagetable(');
    await beginInExec();
    while ((await lineNow()) < call) await editor.untilStopped(() => editor.nextRequest(thread));
    expect(await lineNow()).toBe(call);
    const stopped = await editor.untilStopped(() => editor.stepInRequest(thread));
    expect(stopped.reason).toBe('step');
    expect(await editor.place()).toMatch(/^proc_pagetable proc\.c:/);
    await editor.untilStopped(() => editor.nextRequest(thread));
    await editor.untilStopped(() => editor.stepOutRequest(thread));
    expect(await editor.place()).toMatch(/^exec\+/);
    await editor.untilStopped(() => editor.nextRequest(thread));
    expect(await editor.place()).toMatch(/^exec\+/);
  });

  it('goes back what the steps before it went, calls included', async () => {
    await beginInExec();
    await editor.breakAt();
    const places = [await editor.place()];
    for (let i = 0; i < 4; i++) {
      await editor.untilStopped(() => editor.nextRequest(thread));
      places.push(await editor.place());
    }
    for (const place of places.reverse().slice(1)) {
      await editor.untilStopped(() => editor.stepBackRequest(thread));
      expect(await editor.place()).toBe(place);
    }
  });

  it('of one instruction is undone by one back', async () => {
    await beginInExec();
    const before = await register('sp');
    await editor.untilStopped(() => editor.stepInRequest(instruction));
    expect(await register('sp')).not.toBe(before);
    await editor.untilStopped(() => editor.stepBackRequest(instruction));
    expect([await register('pc'), await register('sp')]).toEqual([expect.stringMatching(/<exec>$/), before]);
  });

  it('is refused while the guest runs, out of what has no caller, and back without a history', async () => {
    await editor.untilStopped(() => editor.begin({ harts: 1, stopOnEntry: true, history: 0 }));
    await expect(editor.stepOutRequest(thread)).rejects.toThrow('no caller');
    await expect(editor.stepBackRequest(thread)).rejects.toThrow('there is no way back');
    await editor.continueRequest(thread);
    await expect(editor.nextRequest(thread)).rejects.toThrow('the guest is running; pause it first');
  });

  it('back to the breakpoint before, and to the beginning, is what reverse-continue does', async () => {
    await editor.untilStopped(() => editor.begin({ harts: 1 }, ['exec']));
    await editor.breakAt('kalloc', 'exec');
    const first = await editor.untilStopped(() => editor.reverseContinueRequest(thread));
    expect(first.reason).toBe('function breakpoint');
    expect(await editor.place()).toMatch(/^kalloc /);
    await editor.breakAt();
    const last = await editor.untilStopped(() => editor.reverseContinueRequest(thread));
    expect(last.reason).toBe('entry');
    expect(await register('pc')).toMatch(/^0x80000000/);
  });
});

describe('values', () => {
  beforeEach(() => editor.untilStopped(() => editor.begin({ harts: 1 }, ['exec'])));

  it('are evaluated from registers, symbols, numbers and memory', async () => {
    expect(await editor.evaluate('$pc')).toMatch(/^0x80[0-9a-f]+ <exec>$/);
    expect(await editor.evaluate('exec + 4')).toMatch(/<exec\+0x4>$/);
    expect(await editor.evaluate('s0')).toBe(await editor.evaluate('fp'));
    expect(await editor.evaluate('*sp + 8')).toMatch(/^0x/);
    await expect(editor.evaluate('ticks ticks')).rejects.toThrow('no expression');
    await expect(editor.evaluate('tocks')).rejects.toThrow('"tocks" is no register, no symbol and no number');
    await expect(editor.evaluate('*0')).rejects.toThrow('there is no memory at 0x0');
  });

  it('of registers can be set, CSRs read', async () => {
    const [{ id }] = await editor.stack();
    const { scopes } = (await editor.scopesRequest({ frameId: id })).body;
    expect(scopes.map(({ name }) => name)).toEqual(['Locals', 'Registers', 'CSRs']);
    const { variablesReference } = scopes[1];
    await editor.setVariableRequest({ variablesReference, name: 'a0', value: 'exec+2' });
    expect(await register('a0')).toMatch(/<exec\+0x2>$/);
    expect(await register('satp')).toMatch(/^0x8/);
    const refused = editor.setVariableRequest({ variablesReference: 2, name: 'mhartid', value: '1' });
    await expect(refused).rejects.toThrow('mhartid cannot be written');
  });

  it('in memory are read, up to where there is none', async () => {
    const read = (memoryReference: string, count: number) =>
      editor.customRequest('readMemory', { memoryReference, count }).then(({ body }) => body);
    const kernel = readFileSync(pathOf('kernel.elf'));
    const { data } = await read('0x80000000', 16);
    expect(Buffer.from(data, 'base64')).toEqual(kernel.subarray(0x1000, 0x1010));
    expect(await read('0x10', 4)).toMatchObject({ unreadableBytes: 4 });
  });

  it('that are instructions are listed, from before an address on', async () => {
    const list = async (instructionOffset: number, instructionCount: number) => {
      const request = { memoryReference: 'exec', instructionOffset, instructionCount };
      return (await editor.customRequest('disassemble', request)).body.instructions;
    };
    const after = await list(0, 3);
    expect(after[0]).toMatchObject({ symbol: 'exec', instruction: expect.stringContaining('sp') });
    const around = await list(-2, 5);
    expect(around.slice(2)).toEqual(after);
    expect(await list(1, 2)).toEqual(after.slice(1));
  });
});
