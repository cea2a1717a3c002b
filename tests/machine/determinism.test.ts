import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';
import { Machine } from '../../src/machine/machine.js';
import { bootImage, fileSystemImage, runUntil } from '../support/images.js';

const small = { memoryBytes: 128 << 20 };

/** Hashes of the whole state at several points of a boot. */
function hashes(seed: number, portions: readonly number[]): string[] {
  const { machine } = bootImage({ ...small, harts: 3, seed });
  return portions.map((cycles) => {
    machine.run(cycles);
    return machine.hash();
  });
}

describe('a run', () => {
  it('is the same to the bit with the same seed', () => {
    const portions = [1_000, 50_000, 1_000_000, 3_000_000];
    expect(hashes(7, portions)).toEqual(hashes(7, portions));
  });

  it('is another one with another seed', () => {
    expect(hashes(1, [2_000_000])).not.toEqual(hashes(2, [2_000_000]));
  });

  it('does not depend on the portions it is made in', () => {
    const whole = bootImage({ ...small, harts: 3 }).machine;
    const pieces = bootImage({ ...small, harts: 3 }).machine;
    whole.run(2_000_000);
    while (pieces.cycles < whole.cycles) pieces.run(1);
    expect(pieces.cycles).toBe(whole.cycles);
    expect(pieces.hash()).toBe(whole.hash());
  });

  it('goes on the same from a machine saved in mid-boot, with input on its way', () => {
    const { machine } = bootImage({ ...small, harts: 2, seed: 3 });
    machine.run(1_500_000);
    machine.type('echo typed ahead\n');
    const snapshot = structuredClone(machine.save());
    const before = machine.hash();
    machine.run(40_000_000);
    const after = machine.hash();

    const loaded = Machine.load(snapshot, { disk: new MemoryStore(fileSystemImage.slice()) });
    expect(loaded.hash()).toBe(before);
    loaded.run(40_000_000);
    expect(loaded.cycles).toBe(machine.cycles);
    expect(loaded.hash()).toBe(after);
  });

  it('goes on the same after a save and a load with a changed disk', () => {
    const { machine, text } = bootImage({ ...small, seed: 3 });
    runUntil(machine, text, '$ ');
    machine.type('echo kept > file\n');
    runUntil(machine, text, '$ ');
    const snapshot = machine.save();
    let loadedText = '';
    const loaded = Machine.load(snapshot, {
      disk: new MemoryStore(fileSystemImage.slice()),
      output: (byte) => (loadedText += String.fromCharCode(byte)),
    });
    loaded.type('cat file\n');
    runUntil(loaded, () => loadedText, 'kept\n$ ');
    expect(loadedText).toContain('kept\n');
  });
});

describe('time', () => {
  it('does not pass while all harts wait and the host asked to be told', () => {
    const { machine, text } = bootImage(small);
    runUntil(machine, text, '$ ');
    const stop = machine.run(1e9, 'return');
    expect(stop).toMatchObject({ kind: 'idle' });
    const before = machine.cycles;
    machine.passIdle(1000);
    expect(machine.cycles).toBe(before + 1000);
  });
});
