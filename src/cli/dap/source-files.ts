/** Where the source files lie that a compiler was given, as a user's editor names them. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export class SourceFiles {
  private readonly folders: readonly string[];
  private readonly found = new Map<string, string | undefined>();

  /** They are looked for in the tree that the kernel lies in, and in the working directory. */
  constructor(kernelPath: string) {
    const folder = dirname(resolve(kernelPath));
    this.folders = [dirname(folder), folder, process.cwd()];
  }

  /** The path of a file on this machine; undefined where it is not there. */
  pathOf(file: string): string | undefined {
    if (!this.found.has(file)) {
      const paths = this.folders.map((folder) => resolve(folder, file));
      const path = paths.find((each) => existsSync(each));
      this.found.set(file, path && realpathSync(path));
    }
    return this.found.get(file);
  }

  /** Whether a path is that of the file. */
  isAt(path: string, file: string): boolean {
    const found = this.pathOf(file);
    if (found === undefined) return path.endsWith(`/${file}`);
    return found === (existsSync(path) ? realpathSync(path) : path);
  }
}
