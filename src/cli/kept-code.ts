/**
 * Keeps what a run has translated for the next run of a kernel, in a folder of the user's. That saves time and changes
 * nothing: what was kept is used where the guest's code is the same, byte by byte. What cannot be read or written is done
 * without.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import type { KeptRegions } from '../rv64/jit/kept.js';
import { packageVersion } from './version.js';

/** So many kernels' files are in the folder at most; the oldest go. One has some hundred kilobytes. */
const MOST_FILES = 100;

/** Tells its files from others: the folder may be anyone's. */
const ENDING = '.rvemu-code';

const CHECKSUM_BYTES = 4;

export class KeptCode {
  /** `build` tells this rvemu from others, which may translate otherwise. */
  constructor(
    private readonly folder: string,
    private readonly build: string,
  ) {}

  /** Where the user has programs keep such files; undefined for nowhere, and for an rvemu that is not built. */
  static ofUser(environment = process.env): KeptCode | undefined {
    const { RVEMU_CACHE, XDG_CACHE_HOME, LOCALAPPDATA, HOME } = environment;
    const folder =
      RVEMU_CACHE ??
      [XDG_CACHE_HOME, LOCALAPPDATA, HOME && join(HOME, '.cache')]
        .filter(Boolean)
        .map((place) => join(place!, 'rvemu'))[0];
    const build = buildOf(fileURLToPath(import.meta.url));
    return folder && build ? new KeptCode(folder, build) : undefined;
  }

  /** What was kept of a kernel, which is known by its path. */
  read(kernel: string): KeptRegions | undefined {
    try {
      const file = readFileSync(this.fileOf(kernel));
      const content = file.subarray(CHECKSUM_BYTES);
      if (file.readUInt32LE() !== checksumOf(content)) return undefined;
      const { build, regions } = deserialize(content) as Kept;
      return build === this.build ? regions : undefined;
    } catch {
      return undefined;
    }
  }

  write(kernel: string, regions: KeptRegions): void {
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      const file = this.fileOf(kernel);
      // Another run may be about to read or write the same.
      const draft = `${file}.${process.pid}${ENDING}`;
      const content = serialize({ build: this.build, regions } satisfies Kept);
      const checksum = Buffer.alloc(CHECKSUM_BYTES);
      checksum.writeUInt32LE(checksumOf(content));
      writeFileSync(draft, Buffer.concat([checksum, content]));
      renameSync(draft, file);
      this.removeOldest();
    } catch {
      // For want of it the next run takes as long as this one.
    }
  }

  private fileOf(kernel: string): string {
    const path = resolve(kernel);
    return join(this.folder, `${basename(path)}-${checksumOf(Buffer.from(path)).toString(16)}${ENDING}`);
  }

  private removeOldest(): void {
    const own = readdirSync(this.folder).filter((name) => name.endsWith(ENDING));
    const files = own.map((name) => join(this.folder, name));
    if (files.length <= MOST_FILES) return;
    const aged = files.map((file) => ({ file, time: statSync(file).mtimeMs }));
    aged.sort((a, b) => b.time - a.time);
    for (const { file } of aged.slice(MOST_FILES)) rmSync(file, { force: true });
  }
}

/** What is in a file, after its checksum. */
interface Kept {
  readonly build: string;
  readonly regions: KeptRegions;
}

/** Says whether bytes are what they were; nobody is kept from changing them. */
function checksumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum = (Math.imul(sum, 31) + bytes[i]) >>> 0;
  return sum;
}

/** Words for the build that a module is part of. Only the bundle (see bundle.ts) changes as a whole. */
function buildOf(module: string): string | undefined {
  if (basename(module) !== 'bundle.cjs') return undefined;
  const { size, mtimeMs } = statSync(module);
  return `${packageVersion()} ${size} ${mtimeMs}`;
}
