import { describe, expect, it } from 'vitest';
import { ProgressLine } from '../../src/cli/progress-line.js';

describe('the progress line', () => {
  let written = '';
  let now = 0;
  let text = 'one';
  const terminal = { columns: 10, write: (part: string) => (written += part) };
  const line = new ProgressLine(
    terminal,
    () => text,
    () => now,
  );
  const takeWritten = (): string => {
    const all = written;
    written = '';
    return all;
  };

  it('takes the place of its last state, and no more than a few times a second', () => {
    line.show();
    expect(takeWritten()).toBe('\r\x1b[Kone');
    text = 'two';
    now += 100;
    line.show();
    expect(takeWritten()).toBe('');
    now += 200;
    line.show();
    expect(takeWritten()).toBe('\r\x1b[Ktwo');
  });

  it('makes way, and is back at once', () => {
    line.clear();
    line.clear();
    expect(takeWritten()).toBe('\r\x1b[K');
    line.show();
    expect(takeWritten()).toBe('\r\x1b[Ktwo');
  });

  it('never reaches the last column', () => {
    text = 'much longer than the terminal is wide';
    line.clear();
    line.show();
    expect(takeWritten()).toBe('\r\x1b[K\r\x1b[Kmuch long');
  });
});
