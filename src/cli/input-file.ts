import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { BadInputError } from '../machine/errors.js';

/** The contents of a file that the user named as a kernel or a disk image (`role`). Throws `BadInputError`. */
export function readInputFile(role: string, path: string): Uint8Array {
  try {
    // Reading a device such as /dev/zero would not end; a directory gets its own message from the read.
    const status = statSync(path);
    if (!status.isFile() && !status.isDirectory()) throw new BadInputError(`${role} ${path}: is not a file`);
    return readFileSync(path);
  } catch (error) {
    throw error instanceof BadInputError ? error : unusableFile(role, path, error);
  }
}

/** Throws `BadInputError` where a file that is to be written in the end cannot be, for want of a folder. */
export function checkFolder(role: string, path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw unusableFile(role, path, error);
  }
}

/** What to tell the user about a file that the host would not open or read. */
export function unusableFile(role: string, path: string, error: unknown): BadInputError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT: 'no such file or directory',
    ENOTDIR: 'no such file or directory',
    EISDIR: 'is a directory',
    EACCES: 'permission denied',
  };
  return new BadInputError(`${role} ${path}: ${reasons[code ?? ''] ?? message}`);
}
