/** Before any test: builds rvemu as users run it, if the sources are newer than what was built. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

const changed = (path: string): number => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

export default function build(): void {
  const sources = readdirSync(join(root, 'src'), { recursive: true }) as string[];
  const newest = Math.max(changed('src'), ...sources.map((path) => changed(join('src', path))));
  if (newest < changed('dist/index.js')) return;
  // Types that are wrong are told by `npm run types`; the program is built all the same.
  spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
}
