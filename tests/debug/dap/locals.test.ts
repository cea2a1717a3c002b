/** Variables of the teaching kernel in the debug adapter, from an editor. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Editor } from '../../support/editor.js';

const editor = new Editor();
const thread = { threadId: 1 };

beforeAll(async () => {
  await editor.start();
  await editor.untilStopped(() => editor.begin({ harts: 1, run: ['ls'] }, ['exec']));
  await editor.breakAt('walk');
  await editor.untilStopped(() => editor.continueRequest(thread));
});
afterAll(async () => void (await editor.end()));

const variablesOf = async (variablesReference: number) =>
  (await editor.variablesRequest({ variablesReference })).body.variables;

/** Variables of the frame of a function. */
async function localsOf(name: string) {
  const frame = (await editor.stack()).find((each) => each.name.startsWith(name))!;
  const { scopes } = (await editor.scopesRequest({ frameId: frame.id })).body;
  expect(scopes.map((scope) => scope.name)).toEqual(['Locals', 'Registers', 'CSRs']);
  return { frameId: frame.id, locals: await variablesOf(scopes[0].variablesReference) };
}

describe('a frame', () => {
  it('has its parameters, with their types', async () => {
    const { locals } = await localsOf('walk');
    const shown = locals.map(({ type, name, value }) => `${type} ${name} = ${value}`);
    expect(shown[0]).toMatch(/^pagetable_t page_table = 0x8\w{7}$/);
    expect(shown.slice(1)).toEqual(['uint64_t va = 274877902848', 'int allocate = 1']);
  });

  it('has them further out, too, from where its callees have saved registers', async () => {
    const { locals } = await localsOf('exec');
    const [path, , process, image] = locals;
    expect(path.value).toMatch(/^0x8\w{7} "\/init"$/);
    expect(process.value).toMatch(/^0x\w+ <processes>$/);
    const members = await variablesOf(image.variablesReference);
    expect(members.map(({ name, value }) => `${name} ${value}`)).toEqual([
      'page_table <optimized out>',
      'size 0',
      'sp 0',
      'entry 0',
    ]);
  });

  it('has what a pointer points to, and what is in that', async () => {
    const { locals } = await localsOf('exec');
    const [target] = await variablesOf(locals.find(({ name }) => name === 'process')!.variablesReference);
    const members = await variablesOf(target.variablesReference);
    expect(members.find(({ name }) => name === 'name')).toMatchObject({ type: 'char [16]', value: '"init"' });
    expect(members.find(({ name }) => name === 'state')!.value).toMatch(/^[A-Z]\w+$/);
  });

  it('is what an expression is about', async () => {
    const { frameId } = await localsOf('exec');
    const evaluate = async (expression: string) =>
      (await editor.evaluateRequest({ expression, frameId })).body.result;
    expect(await evaluate('process->name')).toBe('"init"');
    expect(await evaluate('arguments[0]')).toMatch(/^0x8\w{7} "init"$/);
    await expect(evaluate('arguments->name')).rejects.toThrow('"arguments->name" is no variable');
    expect(await evaluate('processes[0].name')).toBe('"init"');
    expect(await evaluate('image.size')).toBe('0');
    expect(await evaluate('sp+0')).toMatch(/^0x/);
  });
});

it('a breakpoint holds where its condition does', async () => {
  const another = new Editor();
  await another.start();
  const breakAt = (...breakpoints: { name: string; condition?: string }[]) =>
    another.setFunctionBreakpointsRequest({ breakpoints });
  await Promise.all([another.launch({ harts: 1 }), another.waitForEvent('initialized')]);
  await breakAt({ name: 'kfree', condition: 'frame > 0x87000000' });
  await another.untilStopped(() => another.configurationDoneRequest());
  expect(Number((await another.evaluate('a0+0')).split(' ')[0])).toBeGreaterThan(0x8700_0000);
  await breakAt(
    { name: 'exec', condition: 'arguments[0] == 1' },
    { name: 'walk', condition: 'va == 0x3f' },
    { name: 'sys_write' },
  );
  await another.untilStopped(() => another.continueRequest(thread));
  expect((await another.stack())[0].name).toBe('sys_write');
  await another.end();
});

it('a data breakpoint holds where a variable in memory is stored to', async () => {
  const another = new Editor();
  await another.start();
  await another.untilStopped(() => another.begin({ harts: 1 }, ['sys_write']));
  const before = await another.evaluate('ticks');
  const { body } = await another.dataBreakpointInfoRequest({ name: 'ticks' });
  expect(body).toMatchObject({
    dataId: expect.stringMatching(/^0x8\w+ 4$/),
    accessTypes: expect.arrayContaining(['write']),
  });
  const [{ verified }] = (
    await another.setDataBreakpointsRequest({ breakpoints: [{ dataId: body.dataId! }] })
  ).body.breakpoints;
  expect(verified).toBe(true);
  await another.breakAt();
  const stopped = await another.untilStopped(() => another.continueRequest(thread));
  expect(stopped.reason).toBe('data breakpoint');
  expect(Number(await another.evaluate('ticks'))).toBe(Number(before) + 1);
  const nowhere = (await another.dataBreakpointInfoRequest({ name: 'a0' })).body;
  expect(nowhere).toEqual({ dataId: null, description: 'a0 is not in memory, where alone changes are seen' });
  await another.end();
});

it('a variable cannot be written, which is said', async () => {
  const { locals, frameId } = await localsOf('walk');
  expect(locals).not.toEqual([]);
  const { scopes } = (await editor.scopesRequest({ frameId })).body;
  const writing = editor.setVariableRequest({
    variablesReference: scopes[0].variablesReference,
    name: 'va',
    value: '1',
  });
  await expect(writing).rejects.toThrow('va cannot be written here');
});
