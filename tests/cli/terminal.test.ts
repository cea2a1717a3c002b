import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { EscapeKeys, keyHelp, RawMode } from '../../src/cli/terminal.js';

/** What came of typing `portions` one after another. */
function typing(...portions: string[]): string[] {
  const events: string[] = [];
  const keys = new EscapeKeys({
    send: (bytes) => events.push(`send ${JSON.stringify(Buffer.from(bytes).toString())}`),
    end: () => events.push('end'),
    help: () => events.push('help'),
    search: () => events.push('search'),
  });
  for (const portion of portions) keys.take(Buffer.from(portion));
  return events;
}

test('every key goes to the guest, Ctrl-C too', () => {
  expect(typing('ls\r', '\x03')).toEqual(['send "ls\\r"', 'send "\\u0003"']);
});

test('Ctrl-A x ends, in one portion or in two', () => {
  expect(typing('\x01x')).toEqual(['end']);
  expect(typing('\x01', 'x')).toEqual(['end']);
});

test('nothing typed after Ctrl-A x is sent', () => {
  expect(typing('\x01xrm *\r')).toEqual(['end']);
});

test('Ctrl-A h helps and Ctrl-A Ctrl-A sends Ctrl-A', () => {
  expect(typing('\x01h')).toEqual(['help']);
  expect(typing('a\x01\x01b')).toEqual(['send "a\\u0001b"']);
});

test('Ctrl-A l looks for lost frames', () => {
  expect(typing('\x01l')).toEqual(['search']);
  expect(keyHelp(true)).toContain('Ctrl-A l');
  expect(keyHelp(false)).not.toContain('Ctrl-A l');
});

test('any other key after Ctrl-A does nothing', () => {
  expect(typing('a\x01zb')).toEqual(['send "ab"']);
});

test('raw mode ends when it is left, when the process exits, and is taken again after a stop', () => {
  const modes: boolean[] = [];
  const process = new EventEmitter() as unknown as NodeJS.Process;
  const input = { setRawMode: (raw: boolean) => modes.push(raw) } as never;
  const rawMode = new RawMode(input, process);
  rawMode.enter();
  process.emit('SIGCONT', 'SIGCONT');
  process.emit('exit', 0);
  expect(modes).toEqual([true, false, true, false]);
  rawMode.leave();
  expect(modes.at(-1)).toBe(false);
  expect(process.listenerCount('exit') + process.listenerCount('SIGCONT')).toBe(0);
});
