/**
 * Builds dist/: the modules with their types, and the command in one file with its code cache (see src/cli/bundle.ts).
 *
 *     npm run build
 *
 * A bundle is what `dist/cli/main.cjs` starts, whatever became of the modules since; so tsc alone is no build.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';
import { codeCacheOf } from '../src/cli/bundle.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUNDLE = join(ROOT, 'dist/cli/bundle.cjs');

/** Runs a module in a process of its own; what it prints is shown or not. Ends this one with its exit code if it fails. */
function run(stdio: 'inherit' | 'ignore', ...words: string[]): void {
  const { status } = spawnSync(process.execPath, words, { cwd: ROOT, stdio: ['ignore', stdio, 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}

process.chdir(ROOT);
for (const file of [BUNDLE, codeCacheOf(BUNDLE)]) rmSync(file, { force: true });
run('inherit', 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  define: { 'import.meta.url': 'bundleUrl' },
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  logLevel: 'warning',
};
await build({
  ...common,
  entryPoints: ['src/cli/program.ts'],
  outfile: BUNDLE,
  // Packages that a boot has no use for.
  external: ['@vscode/debugadapter', 'junit-report-builder', 'node-sarif-builder', 'zod'],
  // Of Node's own, for what packages can do besides: commander for subcommands that are programs, elfy for sections.
  alias: {
    'node:child_process': join(ROOT, 'scripts/child-process.cjs'),
    assert: join(ROOT, 'scripts/assert.cjs'),
  },
  // Imports that wait until they are needed do so in the bundle, too.
  supported: { 'dynamic-import': false },
});
await build({
  ...common,
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli/main.cjs',
  external: ['./program.js'],
});
for (const main of ['dist/cli/main.js', 'dist/cli/main.cjs']) chmodSync(main, 0o755);
run('ignore', '--import', 'tsx', 'scripts/code-cache.ts', BUNDLE);
