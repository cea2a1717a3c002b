/**
 * Builds images/kernel.elf, images/fs.img and the bare programs images/bench/*.elf from the sources beside them, with
 * Debian's gcc-riscv64-unknown-elf.
 *
 *     npm run images            builds them in place
 *     npm run images -- --check builds them aside and fails if they differ from the committed ones
 *
 * The same sources and compiler give the same bytes, wherever the checkout lies: nothing in the output depends
 * on paths above images/, on the time, or on the order in which a directory is listed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeImage } from './fs/mkfs.js';

const IMAGES = fileURLToPath(new URL('../images', import.meta.url));
const TOOLS = 'riscv64-unknown-elf-';

const COMMON_FLAGS = [
  '-march=rv64imac_zicsr_zifencei',
  '-mabi=lp64',
  '-mcmodel=medany',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fno-builtin',
  '-fno-common',
  '-fno-pic',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-tree-loop-distribute-patterns', // memset must not become a call of itself
  `-ffile-prefix-map=${IMAGES}=.`,
  `-Wa,--debug-prefix-map=${IMAGES}=.`, // the same for the assembler's own line tables
];

/** Frame pointers, real calls and line tables, so that backtraces work; little else in the way of debugging. */
const KERNEL_FLAGS = [
  '-fno-omit-frame-pointer',
  '-fno-optimize-sibling-calls',
  '-g1',
  '-gdwarf-4',
  '-gno-record-gcc-switches',
];

const LINK_FLAGS = ['-z', 'max-page-size=4096', '--build-id=none', '--gc-sections', '--no-warn-rwx-segments'];

function run(tool: string, ...args: string[]): void {
  execFileSync(TOOLS + tool, args, { cwd: IMAGES, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** The files in a directory of images/ with one of the extensions, as paths from images/, in a fixed order. */
function sources(directory: string, ...extensions: string[]): string[] {
  return readdirSync(join(IMAGES, directory))
    .filter((name) => extensions.includes(extname(name)))
    .sort()
    .map((name) => `${directory}/${name}`);
}

/** Compiles each source into `build` and returns the object files in the same order. */
function compile(build: string, files: string[], flags: string[]): string[] {
  return files.map((file) => {
    const object = join(build, `${file.replaceAll('/', '-')}.o`);
    run('gcc', ...COMMON_FLAGS, ...flags, '-c', file, '-o', object);
    return object;
  });
}

function buildKernel(build: string): Uint8Array {
  const objects = compile(build, sources('kernel', '.S', '.c'), KERNEL_FLAGS);
  const linked = join(build, 'kernel.elf');
  run('ld', ...LINK_FLAGS, '-T', 'kernel/kernel.ld', '-o', linked, ...objects);
  return readFileSync(linked);
}

function buildFileSystem(build: string): Uint8Array {
  const library = compile(build, sources('user/lib', '.S', '.c'), []);
  const benchmarks = compile(build, sources('bench/programs', '.c'), []);
  const programs = sources('user', '.c').map((source) => {
    const name = basename(source, '.c');
    const linked = join(build, name);
    const objects = [...compile(build, [source], []), ...library, ...(name === 'bench' ? benchmarks : [])];
    run('ld', ...LINK_FLAGS, '-T', 'user/user.ld', '-o', linked, ...objects);
    return { name, data: readFileSync(linked) };
  });
  const readme = { name: 'README', data: readFileSync(join(IMAGES, 'user/README')) };
  return makeImage([readme, ...programs]);
}

/** The benchmark's programs for the bare machine, by file name. */
function buildBarePrograms(build: string): [name: string, data: Uint8Array][] {
  const entry = compile(build, ['bench/start.S'], []);
  return sources('bench/programs', '.c').map((source) => {
    const name = basename(source, '.c');
    const linked = join(build, `${name}.elf`);
    const objects = compile(build, ['bench/bare.c', source], [`-DPROGRAM=${name}`]);
    run('ld', ...LINK_FLAGS, '-T', 'bench/bench.ld', '-o', linked, ...entry, ...objects);
    return [`bench/${name}.elf`, readFileSync(linked)];
  });
}

function writeOrCheck(name: string, data: Uint8Array, check: boolean): void {
  const path = join(IMAGES, name);
  if (!check) {
    writeFileSync(path, data);
  } else if (!readFileSync(path).equals(data)) {
    console.error(
      `images/${name} is not what its sources build to: run npm run images and commit the result`,
    );
    process.exitCode = 1;
  }
}

const check = process.argv.includes('--check');
const build = mkdtempSync(join(tmpdir(), 'rvemu-images-'));
try {
  writeOrCheck('kernel.elf', buildKernel(build), check);
  writeOrCheck('fs.img', buildFileSystem(build), check);
  for (const [name, data] of buildBarePrograms(build)) writeOrCheck(name, data, check);
} finally {
  rmSync(build, { recursive: true, force: true });
}
