import { closeSync, openSync, writeSync } from 'node:fs';
import { unusableFile } from './input-file.js';

/** A copy, in a file, of everything the guest prints. */
export class LogFile {
  private file: number | undefined;

  /** Begins an empty file. Throws `BadInputError`. */
  constructor(
    private readonly path: string,
    private readonly warn: (message: string) => void,
  ) {
    try {
      this.file = openSync(path, 'w');
    } catch (error) {
      throw unusableFile('log', path, error);
    }
  }

  /** When the host fails, the log ends there, with a warning; the session goes on. */
  write(bytes: Uint8Array): void {
    if (this.file === undefined) return;
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.file, bytes, done);
    } catch (error) {
      this.warn(`log ${this.path} ends here: ${(error as Error).message}`);
      this.close();
    }
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }
}
