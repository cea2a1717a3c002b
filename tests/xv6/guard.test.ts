import { describe, expect, it } from 'vitest';
import { Guard } from '../../src/xv6/guard.js';

const repeat = (times: number, action: () => void): void => {
  for (let count = 0; count < times; count++) action();
};

describe('the guard of a list', () => {
  it('is missed by a function that held it at every change so far', () => {
    const guard = new Guard();
    repeat(20, () => expect(guard.missingAt('kalloc', ['kmem', 'proc'])).toBeUndefined());
    repeat(20, () => expect(guard.missingAt('kalloc', ['kmem'])).toBeUndefined());
    expect(guard.missingAt('kalloc', ['proc'])).toBe('kmem');
    expect(guard.missingAt('kalloc', ['kmem'])).toBeUndefined();
  });

  it('is missed by a function that never holds it, where another always does', () => {
    const guard = new Guard();
    const missing: (string | undefined)[] = [];
    repeat(40, () => {
      expect(guard.missingAt('kmalloc', ['kmalloc'])).toBeUndefined();
      missing.push(guard.missingAt('kmfree', []));
    });
    expect(missing.at(0)).toBeUndefined();
    expect(missing.at(-1)).toBe('kmalloc');
  });

  it('may be one of several of a name, as lists per CPU have them', () => {
    const guard = new Guard();
    repeat(40, () => expect(guard.missingAt('kfree', ['kmem0'])).toBeUndefined());
    repeat(40, () => expect(guard.missingAt('kfree', ['kmem1'])).toBeUndefined());
    repeat(40, () => expect(guard.missingAt('kalloc', ['kmem7', 'kmem1'])).toBeUndefined());
  });

  it('is none where a function goes without now and then from the beginning on', () => {
    const guard = new Guard();
    repeat(40, () => {
      expect(guard.missingAt('kfree', ['kmem'])).toBeUndefined();
      expect(guard.missingAt('kalloc', ['kmem'])).toBeUndefined();
      repeat(8, () => expect(guard.missingAt('kalloc', [])).toBeUndefined());
    });
  });
});
