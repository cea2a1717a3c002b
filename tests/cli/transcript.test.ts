import { expect, test } from 'vitest';
import { OutputBuffer } from '../../src/cli/output-buffer.js';
import { Transcript } from '../../src/cli/transcript.js';

test('lines come out once finished, without their ends, and the unfinished one is kept', () => {
  const transcript = new Transcript();
  expect(transcript.feed(Buffer.from('one\r\ntw'))).toEqual(['one']);
  expect(transcript.currentLine).toBe('tw');
  expect(transcript.feed(Buffer.from('o\n\n'))).toEqual(['two', '']);
  expect([transcript.currentLine, transcript.lastLine]).toEqual(['', 'two']);
});

test('a character whose bytes come in two portions is one character', () => {
  const transcript = new Transcript();
  const bytes = Buffer.from('é');
  transcript.feed(bytes.subarray(0, 1));
  transcript.feed(bytes.subarray(1));
  expect(transcript.currentLine).toBe('é');
});

test('a line without end is remembered only by its end', () => {
  const transcript = new Transcript();
  for (let portion = 0; portion < 40; portion++) transcript.feed(Buffer.alloc(8192, 'a'));
  transcript.feed(Buffer.from('z'));
  expect(transcript.currentLine.length).toBe(65536);
  expect(transcript.currentLine.endsWith('az')).toBe(true);
});

test('an output buffer hands over every byte once, however many there are', () => {
  const output = new OutputBuffer();
  for (let byte = 0; byte < 10_000; byte++) output.sink(byte & 0xff);
  const taken = output.take();
  expect([taken.length, taken[9_999]]).toEqual([10_000, 9_999 & 0xff]);
  expect(output.take().length).toBe(0);
});
