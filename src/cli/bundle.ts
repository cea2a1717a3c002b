/**
 * The command in one file, which `npm run build` makes of its modules and of the packages that a boot needs, and beside it
 * what V8 compiled of that when it booted a kernel. Another version of V8 refuses the latter, and compiles anew.
 */
import { readFileSync } from 'node:fs';
import Module from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

export interface Bundle {
  /** What `program.ts` exports. */
  readonly program: typeof import('./program.js');
  readonly script: Script;
}

export const codeCacheOf = (bundle: string): string => `${bundle}.cache`;

export function loadBundle(file: string): Bundle {
  // The bundle is ASCII.
  const source = Module.wrap(readFileSync(file, 'latin1'));
  const script = new Script(source, { filename: file, cachedData: contentOf(codeCacheOf(file)) });
  const module = { exports: {} as Bundle['program'] };
  script.runInThisContext()(module.exports, Module.createRequire(file), module, file, dirname(file));
  return { program: module.exports, script };
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined; // A cache only saves time.
  }
}
