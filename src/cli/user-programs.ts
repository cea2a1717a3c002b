/** Files of user programs. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ProgramFile } from '../debug/programs.js';
import { readInputFile } from './input-file.js';

/** The user programs of the tree that `…/kernel/kernel` was built in: `user/_sh` and the like. */
export function programsBeside(kernelPath: string): ProgramFile[] {
  const folder = join(dirname(dirname(kernelPath)), 'user');
  if (basename(dirname(kernelPath)) !== 'kernel' || !existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.startsWith('_'));
  return names.map((name) => programAt(join(folder, name)));
}

export const programAt = (path: string): ProgramFile => ({
  name: basename(path).replace(/^_/, ''),
  contents: readInputFile('user program', path),
});
