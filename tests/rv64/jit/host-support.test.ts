import { expect, it } from 'vitest';
import { canTranslate } from '../../../src/rv64/jit/host-support.js';

const RETURN_CALL_INDIRECT = 0x13;

it('what the host is asked about is a module with a tail call, and no more than WebAssembly 1.0 besides', () => {
  let module = new Uint8Array();
  expect(canTranslate((bytes) => ((module = bytes), false))).toBe(false);
  const at = module.lastIndexOf(RETURN_CALL_INDIRECT);
  expect(at).toBeGreaterThan(0);
  expect(WebAssembly.validate(module)).toBe(true);
  // An ordinary call in its place.
  module[at] = 0x11;
  expect(WebAssembly.validate(module)).toBe(true);
});

it('this host can translate', () => {
  expect(canTranslate()).toBe(true);
});
