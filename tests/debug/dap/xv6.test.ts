/** User programs of a real xv6-riscv in an editor, when the environment names one: XV6=dir, a built tree. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Editor } from '../../support/editor.js';

const tree = process.env.XV6;

describe.skipIf(tree === undefined)('xv6-riscv in an editor (skipped unless XV6 names a built tree)', () => {
  const path = join(tree ?? '', 'user/wc.c');
  let editor: Editor;
  beforeEach(async () => {
    editor = new Editor();
    await editor.start();
  });
  afterEach(async () => {
    await editor.end();
  });

  it('holds at a line of a user program, in that program alone, and steps there both ways', async () => {
    const line = readFileSync(path, 'utf8').split('\n').indexOf('    wc(fd, argv[i]);') + 1;
    const launched = editor.launch({ cwd: tree, ephemeral: true, run: ['echo hi', 'ls', 'wc README'] });
    await Promise.all([launched, editor.waitForEvent('initialized')]);
    await editor.setBreakpointsRequest({ source: { path }, breakpoints: [{ line }] });
    let { threadId, reason } = await editor.untilStopped(() => editor.configurationDoneRequest());
    // The kernel may have a process go on with another hart.
    const go = async (step: (thread: { threadId: number }) => Promise<unknown>) =>
      ({ threadId } = await editor.untilStopped(() => step({ threadId: threadId! })));
    expect(reason).toBe('breakpoint');
    expect(editor.outputs.stdout).toMatch(/wc README\s*$/);
    const place = await editor.place(threadId);
    expect(place).toMatch(new RegExp(`^wc:main\\S* wc\\.c:${line}$`));
    await go((thread) => editor.stepInRequest(thread));
    const [inner, caller] = await editor.stack(threadId);
    expect([inner.name, caller.line]).toEqual(['wc:wc', line]);
    await go((thread) => editor.stepOutRequest(thread));
    expect(await editor.place(threadId)).toMatch(/^wc:main/);
    await go((thread) => editor.reverseContinueRequest(thread));
    expect(await editor.place(threadId)).toBe(place);
  });
});
