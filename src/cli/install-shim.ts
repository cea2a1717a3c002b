/** `rvemu install-shim`: a script that makefiles find where they look for QEMU. */
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BadInputError } from '../machine/errors.js';
import { unusableFile } from './input-file.js';

const NAME = 'qemu-system-riscv64';
const MARK = '# Runs rvemu in place of QEMU. Written by "rvemu install-shim".';

/** Writes the script, which runs `command` (words), in a folder. Returns a sentence for the user. Throws BadInputError. */
export function installShim(folder: string, command: readonly string[]): string {
  const path = join(resolve(folder), NAME);
  try {
    mkdirSync(folder, { recursive: true });
    refuseToReplace(path);
    writeFileSync(path, `#!/bin/sh\n${MARK}\nexec ${command.map(quoted).join(' ')} qemu "$@"\n`);
    chmodSync(path, 0o755);
  } catch (error) {
    throw error instanceof BadInputError ? error : unusableFile('shim', path, error);
  }
  return `${path} runs rvemu now; put its folder first: PATH=${quoted(resolve(folder))}:$PATH make qemu`;
}

/** Only another shim may go: what else has this name is somebody's QEMU. */
function refuseToReplace(path: string): void {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (status.isFile() && readFileSync(path, 'latin1').includes(MARK)) return;
  throw new BadInputError(`${path} is there and is no shim of rvemu's; choose another folder`);
}

/** A word as the shell has to see it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
