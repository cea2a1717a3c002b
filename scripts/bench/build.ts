/** The built rvemu in dist/, which is what users run, and therefore what is measured. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchError } from './process.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Builds dist/ if a source is newer. Throws BenchError if that fails. */
export function buildIfStale(): void {
  const source = join(ROOT, 'src');
  const paths = readdirSync(source, { recursive: true, encoding: 'utf8' }).map((path) => join(source, path));
  const newest = Math.max(...paths.map((path) => statSync(path).mtimeMs));
  const built = statSync(join(ROOT, 'dist/index.js'), { throwIfNoEntry: false });
  if (built !== undefined && built.mtimeMs >= newest) return;
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new BenchError('rvemu cannot be built: npm run build failed');
}

/** The library in dist/: loaded when it is needed, for it may not be built before. */
export async function loadLibrary(): Promise<typeof import('../../src/index.js')> {
  const path: string = '../../dist/index.js';
  return (await import(path)) as typeof import('../../src/index.js');
}
