import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/devices/block-store.js';
import type { MachineOptions } from '../../src/machine/parts.js';
import { bootProgram } from '../support/programs.js';

/** A driver that counts its tries in memory, and goes on to the device's next register if it likes the version. */
const driver = (version: number, count = 'ld t3, 0(t1)\n addi t3, t3, 1\n sd t3, 0(t1)') => `
  li t0, 0x10001000
  la t1, counter
  lw t2, 4(t0)
  ${count}
  li t4, ${version}
  bne t2, t4, dislikes
  lw t5, 8(t0)
  dislikes: j dislikes
  .align 8
  counter: .dword 0`;

const disk = () => new MemoryStore(new Uint8Array(1024));

/** What is in t2 (the version that the driver was told) and t5 (what the next register said), and in memory. */
function run(source: string, options: Partial<MachineOptions> = {}, watched: number[] = []) {
  const machine = bootProgram(source, { disk: disk(), ...options });
  const start = machine.harts[0].pc;
  machine.watchFrame(start, (address) => watched.push(address));
  machine.run(10_000);
  const [version, next] = [machine.harts[0].x[7], machine.harts[0].x[30]];
  return { version, next, hash: machine.hash() };
}

describe('the version of the disk', () => {
  it.each([1, 2])('is the one that the driver goes on with: %d', (version) => {
    expect(run(driver(version))).toMatchObject({ version: BigInt(version), next: 2n });
  });

  it('is 2 for a driver that goes on with neither', () => {
    expect(run(driver(3))).toMatchObject({ version: 2n, next: 0n });
  });

  it.each([undefined, 'li t3, 1\n amoadd.d t6, t3, (t1)'])(
    'is found without a trace: memory is as if it had been named, and watchers hear of one store',
    (count) => {
      const watched: number[] = [];
      const found = run(driver(1, count), {}, watched);
      expect(found).toEqual(run(driver(1, count), { virtio: 'legacy' }));
      expect(watched).toHaveLength(1);
    },
  );
});
