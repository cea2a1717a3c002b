/**
 * Imports go one way: cli → debug, xv6 → machine → rv64, devices → sv39. This check
 * reads every import in src/ and fails on one that goes another way, or that ties the core to a host.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

/** A folder may import itself and the folders of later rows. The two of one row may not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['cli'],
  ['debug', 'xv6'],
  ['machine'],
  ['rv64', 'devices'],
  ['sv39'],
];

/** A shadow model that shares the walker it checks proves nothing. */
const HIDDEN_FROM_XV6 = ['sv39/walk', 'sv39/tlb'];

/** What belongs to a host; below cli/ it is handed in. */
const HOST_GLOBALS = new Set([
  'globalThis',
  'process',
  'console',
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'require',
]);

/** Files (`folder/file.ts`) that the check leaves alone, each with its reason in a comment. */
const EXEMPT: readonly string[] = [];

/** What is wrong with a file's imports and globals, one sentence each. `path` is relative to src/. */
function violations(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const folder = folderOf(path);
  const found: string[] = [];
  if (folder !== 'index.ts' && layerOf(folder) < 0) found.push(`${path} is in no folder of the design`);
  for (const imported of importsOf(source)) {
    const reason = imported.startsWith('.') ? againstDirection(path, imported) : hostModule(folder, imported);
    if (reason !== undefined) found.push(`${path} imports ${imported}: ${reason}`);
  }
  if (folder !== 'cli')
    found.push(...hostGlobalsIn(file).map((name) => `${path} uses ${name}: only cli/ may`));
  return found;
}

const folderOf = (path: string): string => path.split('/')[0];
const layerOf = (folder: string): number => LAYERS.findIndex((layer) => layer.includes(folder));

/** Static, dynamic and type-only imports, and re-exports. */
const importsOf = (source: string): string[] =>
  ts.preProcessFile(source, true, true).importedFiles.map((imported) => imported.fileName);

function againstDirection(path: string, imported: string): string | undefined {
  const target = posix.join(posix.dirname(path), imported);
  const [from, to] = [folderOf(path), folderOf(target)];
  if (target.startsWith('..')) return from === 'cli' ? undefined : 'it lies outside src/';
  if (from === 'index.ts') return to === 'cli' ? 'the library knows nothing of the command line' : undefined;
  if (to === 'index.js') return from === 'cli' ? undefined : 'the public library is made of what lies below';
  if (from === 'xv6' && HIDDEN_FROM_XV6.some((hidden) => target === `${hidden}.js`)) {
    return 'the shadow model may not share the walker it checks';
  }
  if (from === to || layerOf(to) > layerOf(from)) return undefined;
  return `${from}/ may not import ${to}/`;
}

const hostModule = (folder: string, imported: string): string | undefined =>
  folder !== 'cli' && isBuiltin(imported) ? 'only cli/ may import modules of Node' : undefined;

/** The host globals that a file uses. A name that the file declares itself is its own affair. */
function hostGlobalsIn(file: ts.SourceFile): string[] {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && HOST_GLOBALS.has(node.text) && !isMemberName(node)) {
      (isDeclaredName(node) ? declared : used).add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...used].filter((name) => !declared.has(name));
}

/** `process` in `x.process`, in `{ process: 1 }`, and in the declaration of a member of that name. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  const mayBe =
    ts.isPropertyAccessExpression(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent);
  return mayBe && parent.name === node;
}

/** `process` in `const process = …`, in a parameter list, an import and the like. */
function isDeclaredName(node: ts.Identifier): boolean {
  const { parent } = node;
  const declares =
    ts.isVariableDeclaration(parent) ||
    ts.isBindingElement(parent) ||
    ts.isParameter(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isImportSpecifier(parent);
  return declares && parent.name === node;
}

describe('the sources', () => {
  const root = fileURLToPath(new URL('../src/', import.meta.url));
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'));

  test('import in the direction of the design, and leave the host to cli/', () => {
    expect(paths).toContain('index.ts');
    const checked = paths.filter((path) => !EXEMPT.includes(path));
    expect(checked.flatMap((path) => violations(path, readFileSync(`${root}${path}`, 'utf8')))).toEqual([]);
  });

  test('have no exemption that is no longer needed', () => {
    const stale = EXEMPT.filter(
      (path) =>
        !paths.includes(path) || violations(path, readFileSync(`${root}${path}`, 'utf8')).length === 0,
    );
    expect(stale).toEqual([]);
  });
});

describe('the check', () => {
  test.each([
    ['cli/boot.ts', '../machine/machine.js'],
    ['cli/boot.ts', '../index.js'],
    ['cli/boot.ts', '../debug/lines.js'],
    ['cli/boot.ts', 'node:fs'],
    ['cli/boot.ts', '../../package.json'],
    ['debug/lines.ts', '../sv39/walk.js'],
    ['xv6/vm.ts', '../sv39/pte.js'],
    ['xv6/probes.ts', '../machine/symbols.js'],
    ['machine/bus.ts', '../devices/clint.js'],
    ['machine/elf.ts', 'elfy'],
    ['rv64/isa/i.ts', '../hart.js'],
    ['rv64/hart.ts', '../sv39/walk.js'],
    ['index.ts', './machine/machine.js'],
  ])('lets %s import %s', (path, imported) => {
    expect(violations(path, `import { thing } from '${imported}';`)).toEqual([]);
  });

  test.each([
    ['sv39/walk.ts', '../rv64/hart.js', 'sv39/ may not import rv64/'],
    ['rv64/hart.ts', '../devices/clint.js', 'rv64/ may not import devices/'],
    ['rv64/isa/i.ts', '../../devices/clint.js', 'rv64/ may not import devices/'],
    ['devices/clint.ts', '../rv64/hart.js', 'devices/ may not import rv64/'],
    ['machine/machine.ts', '../debug/lines.js', 'machine/ may not import debug/'],
    ['debug/lines.ts', '../xv6/vm.js', 'debug/ may not import xv6/'],
    ['debug/lines.ts', '../cli/main.js', 'debug/ may not import cli/'],
    ['machine/machine.ts', '../index.js', 'the public library is made of what lies below'],
    ['index.ts', './cli/main.js', 'the library knows nothing of the command line'],
    ['xv6/vm.ts', '../sv39/walk.js', 'the shadow model may not share the walker it checks'],
    ['xv6/vm.ts', '../sv39/tlb.js', 'the shadow model may not share the walker it checks'],
    ['machine/elf.ts', 'node:fs', 'only cli/ may import modules of Node'],
    ['index.ts', 'fs/promises', 'only cli/ may import modules of Node'],
    ['machine/elf.ts', '../../scripts/bench.js', 'it lies outside src/'],
    ['machine/elf.ts', '../helpers/hex.js', 'machine/ may not import helpers/'],
  ])('stops %s from importing %s', (path, imported, reason) => {
    const message = `${path} imports ${imported}: ${reason}`;
    for (const source of [
      `import { thing } from '${imported}';`,
      `import type { Thing } from '${imported}';`,
      `import '${imported}';`,
      `export * from '${imported}';`,
      `const thing = await import('${imported}');`,
    ]) {
      expect(violations(path, source)).toEqual([message]);
    }
  });

  test('stops a file in a folder that the design does not know', () => {
    expect(violations('helpers/hex.ts', '')).toEqual(['helpers/hex.ts is in no folder of the design']);
    expect(violations('main.ts', '')).toEqual(['main.ts is in no folder of the design']);
  });

  test.each([
    ['process.exit(1);', 'process'],
    ['globalThis.process.exit(1);', 'globalThis'],
    ['const { process } = globalThis;', 'globalThis'],
    ['const { exit } = process;', 'process'],
    ['console.log(1);', 'console'],
    ['const now = Date.now();', 'Date'],
    ['const host = { performance };', 'performance'],
    ["const fs = createRequire('x'); require('fs');", 'require'],
  ])('stops %s outside cli/', (source, name) => {
    expect(violations('machine/machine.ts', source)).toContain(
      `machine/machine.ts uses ${name}: only cli/ may`,
    );
    expect(violations('cli/main.ts', source)).toEqual([]);
  });

  test("does not take a property, a name of the file's own, a comment or a string for the global", () => {
    const source = `
      // process.exit, console
      const text = 'console.log';
      interface Host { process: number; console(): void }
      class Queue { process(): void {} }
      new Queue().process();
      const table = { process: 1 };
      const performance = [1].map((console) => console);
      use(performance);
    `;
    expect(violations('machine/queue.ts', source)).toEqual([]);
  });
});
