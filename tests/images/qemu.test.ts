/** The committed images under QEMU, where it is installed: a second opinion on kernel and machine alike. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const QEMU = 'qemu-system-riscv64';
const isInstalled = spawnSync(QEMU, ['--version']).status === 0;
const image = (name: string) => fileURLToPath(new URL(`../../images/${name}`, import.meta.url));

/** Boots, types each command at a prompt, and returns all that was printed up to the prompt after the last. */
async function runCommands(harts: number, disk: string, commands: string[]): Promise<string> {
  const machine = ['-machine', 'virt', '-bios', 'none', '-m', '128M', '-smp', String(harts), '-nographic'];
  const drive = ['-drive', `file=${disk},if=none,format=raw,id=x0`];
  const device = ['-device', 'virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0'];
  const modern = ['-global', 'virtio-mmio.force-legacy=false'];
  const qemu = spawn(QEMU, [...machine, '-kernel', image('kernel.elf'), ...modern, ...drive, ...device]);
  try {
    let output = '';
    let promptEnd = 0;
    const waiting = [...commands];
    for await (const chunk of qemu.stdout) {
      output += String(chunk);
      if (/^panic: /m.test(output)) throw new Error(output);
      if (output.length === promptEnd || !output.endsWith('$ ')) continue;
      promptEnd = output.length;
      const command = waiting.shift();
      if (command === undefined) return output;
      qemu.stdin.write(`${command}\n`);
    }
    throw new Error(`QEMU ended early: ${output}`);
  } finally {
    qemu.kill('SIGKILL');
  }
}

describe.skipIf(!isInstalled)('the teaching kernel under QEMU', () => {
  let directory: string;
  let disk: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'rvemu-qemu-'));
    disk = join(directory, 'fs.img');
    copyFileSync(image('fs.img'), disk);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each([1, 3, 8])('boots to its shell with %i harts and runs commands', async (harts) => {
    const output = await runCommands(harts, disk, ['echo one two | wc', 'echo kept > file', 'cat file', 'memmap']);
    expect(output).toMatch(/^rvemu teaching kernel$/m);
    expect(output).toMatch(/^1 2 8/m);
    expect(output).toMatch(/^kept$/m);
    expect(output).toMatch(/^page table of kernel/m);
  });
});
