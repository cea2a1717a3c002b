/** The two that are compared, as command lines, and the guests that they run. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchError, type CommandLine } from './process.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const IMAGES = join(ROOT, 'images');
const RVEMU = join(ROOT, 'dist/cli/main.cjs');
const QEMU = 'qemu-system-riscv64';

/** A kernel and a disk that boot to a shell. */
export interface Guest {
  readonly name: string;
  readonly kernel: string;
  readonly disk: string;
  /** Whether the kernel's disk driver is of before virtio 1.0. rvemu finds out; QEMU has to be told. */
  readonly legacyDisk: boolean;
}

export interface Simulator {
  readonly name: 'QEMU' | 'rvemu';
  /** Whether it types the commands itself; otherwise they are typed on its standard input. */
  readonly typesItself: boolean;
  boot(guest: Guest, harts: number, commands: readonly string[]): CommandLine;
  /** Runs a program that ends through the test finisher. */
  bare(elf: string): CommandLine;
}

/** A run of `rvemu boot`, or of `rvemu check`. */
export const rvemuSession = (
  { kernel, disk }: Guest,
  harts: number,
  commands: readonly string[],
  how: 'boot' | 'check',
): CommandLine => ({
  program: process.execPath,
  arguments: [
    ...[RVEMU, how, kernel, '--disk', disk, '--smp', String(harts), '--memory', '128M'],
    ...commands.flatMap((command) => ['--run', command]),
  ],
});

const rvemu: Simulator = {
  name: 'rvemu',
  typesItself: true,
  boot: (guest, harts, commands) => rvemuSession(guest, harts, commands, 'boot'),
  bare: (elf) => ({ program: process.execPath, arguments: [RVEMU, 'boot', elf, '--smp', '1'] }),
};

const QEMU_BOARD = ['-machine', 'virt', '-bios', 'none', '-m', '128M', '-nographic'];

const qemu: Simulator = {
  name: 'QEMU',
  typesItself: false,
  boot: ({ kernel, disk, legacyDisk }, harts) => ({
    program: QEMU,
    arguments: [
      ...[...QEMU_BOARD, '-smp', String(harts), '-kernel', kernel],
      ...(legacyDisk ? [] : ['-global', 'virtio-mmio.force-legacy=false']),
      ...['-drive', `file=${disk},if=none,format=raw,id=x0`],
      ...['-device', 'virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0'],
    ],
  }),
  bare: (elf) => ({ program: QEMU, arguments: [...QEMU_BOARD, '-kernel', elf] }),
};

/** The first line of `--version`, or undefined where QEMU is not installed. */
export function qemuVersion(): string | undefined {
  const { status, stdout } = spawnSync(QEMU, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : undefined;
}

/** In the order in which they take turns. */
export const simulators = (hasQemu: boolean): Simulator[] => (hasQemu ? [qemu, rvemu] : [rvemu]);

export const teachingKernel: Guest = {
  name: 'teaching kernel',
  kernel: join(IMAGES, 'kernel.elf'),
  disk: join(IMAGES, 'fs.img'),
  legacyDisk: false,
};

/** The xv6 in a built tree. Throws BenchError where there is none. */
export function stockXv6(tree: string): Guest {
  const guest = { name: 'stock xv6', kernel: join(tree, 'kernel/kernel'), disk: join(tree, 'fs.img') };
  for (const file of [guest.kernel, guest.disk]) {
    if (!existsSync(file)) throw new BenchError(`XV6=${tree}: there is no ${file}; has the tree been built?`);
  }
  const makefile = join(tree, 'Makefile');
  const isModern = existsSync(makefile) && readFileSync(makefile, 'utf8').includes('force-legacy=false');
  return { ...guest, legacyDisk: !isModern };
}
