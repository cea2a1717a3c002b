/**
 * A disk whose sectors are those of an image file. Writes reach the file at once and whole: when the host
 * cannot take all of one, what was there before is put back.
 */
import * as nodeFileSystem from 'node:fs';
import { BlockStoreError, SECTOR_BYTES, type BlockStore } from '../devices/device.js';
import { BadInputError } from '../machine/errors.js';
import { unusableFile } from './input-file.js';

/** The part of `node:fs` used here, so that a test can stand in for a host whose disk is full. */
export type FileSystem = Pick<
  typeof nodeFileSystem,
  'openSync' | 'fstatSync' | 'readSync' | 'writeSync' | 'fsyncSync' | 'closeSync'
>;

export interface FileStoreOptions {
  /** Told, once, that the image can only be read. */
  warn: (message: string) => void;
  fileSystem?: FileSystem;
}

/** Sectors in a disk image of so many bytes. Throws `BadInputError`, naming `path`, if that makes no disk. */
export function sectorsOfImage(path: string, bytes: number): number {
  if (bytes === 0) throw new BadInputError(`disk image ${path} is empty`);
  const over = bytes % SECTOR_BYTES;
  if (over !== 0) {
    throw new BadInputError(`disk image ${path} is not whole: its last block is partial, ${over} bytes over`);
  }
  return bytes / SECTOR_BYTES;
}

export class FileStore implements BlockStore {
  private written = false;

  private constructor(
    private readonly path: string,
    private readonly file: number,
    readonly sectors: number,
    readonly readOnly: boolean,
    private readonly fileSystem: FileSystem,
  ) {}

  /** Opens an image to read and write, or only to read where the host allows no more. Throws `BadInputError`. */
  static open(path: string, { warn, fileSystem = nodeFileSystem }: FileStoreOptions): FileStore {
    const { file, readOnly } = openImage(path, fileSystem);
    try {
      const status = fileSystem.fstatSync(file);
      if (!status.isFile()) throw new BadInputError(`disk image ${path} is not a file`);
      const sectors = sectorsOfImage(path, status.size);
      if (readOnly) warn(`disk image ${path} cannot be written; the guest's writes to it will fail`);
      return new FileStore(path, file, sectors, readOnly, fileSystem);
    } catch (error) {
      fileSystem.closeSync(file);
      throw error;
    }
  }

  read(sector: number, into: Uint8Array): void {
    const position = sector * SECTOR_BYTES;
    for (let done = 0; done < into.length;) {
      const count = this.attempt('read', () =>
        this.fileSystem.readSync(this.file, into, done, into.length - done, position + done),
      );
      if (count === 0) throw new BlockStoreError(`disk image ${this.path} ends before sector ${sector}`);
      done += count;
    }
  }

  write(sector: number, from: Uint8Array): void {
    if (this.readOnly) throw new BlockStoreError(`disk image ${this.path} cannot be written`);
    const before = new Uint8Array(from.length);
    this.read(sector, before);
    this.written = true;
    const failure = this.put(sector, from);
    if (failure === undefined) return;
    const torn = this.put(sector, before.subarray(0, failure.done)) !== undefined;
    const aftermath = torn ? ', and what was there before could not be put back' : '';
    throw new BlockStoreError(
      `disk image ${this.path}: sector ${sector} not written: ${failure.reason}${aftermath}`,
    );
  }

  flush(): void {
    if (!this.written) return;
    this.attempt('flush', () => this.fileSystem.fsyncSync(this.file));
    this.written = false;
  }

  /** Lets go of the file. What was written is in it; that it outlives a power cut only the guest's flush sees to. */
  close(): void {
    this.attempt('close', () => this.fileSystem.closeSync(this.file));
  }

  /** The contents live in the file and are not saved with a machine. */
  state(): undefined {
    return undefined;
  }

  restore(): void {}

  /** Writes `bytes` from `sector` on; on failure says how many of them reached the file. */
  private put(sector: number, bytes: Uint8Array): { done: number; reason: string } | undefined {
    const position = sector * SECTOR_BYTES;
    for (let done = 0; done < bytes.length;) {
      try {
        const count = this.fileSystem.writeSync(this.file, bytes, done, bytes.length - done, position + done);
        if (count === 0) return { done, reason: 'the host took no more bytes' };
        done += count;
      } catch (error) {
        return { done, reason: (error as Error).message };
      }
    }
    return undefined;
  }

  private attempt<Result>(action: string, operation: () => Result): Result {
    try {
      return operation();
    } catch (error) {
      throw new BlockStoreError(`disk image ${this.path}: cannot ${action}: ${(error as Error).message}`);
    }
  }
}

function openImage(path: string, fileSystem: FileSystem): { file: number; readOnly: boolean } {
  try {
    return { file: fileSystem.openSync(path, 'r+'), readOnly: false };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS')
      throw unusableFile('disk image', path, error);
  }
  try {
    return { file: fileSystem.openSync(path, 'r'), readOnly: true };
  } catch (error) {
    throw unusableFile('disk image', path, error);
  }
}
