/** `--record`: takes down what a run depends on while it goes on, and writes it to a file at the end. */
import { writeFileSync } from 'node:fs';
import type { BlockStore } from '../devices/device.js';
import { BadInputError } from '../machine/errors.js';
import type { InputEntry } from '../machine/input-log.js';
import type { Machine } from '../machine/machine.js';
import type { BootOptions } from './boot-options.js';
import type { Debugger } from '../debug/debugger.js';
import type { GuestFiles } from './guest-files.js';
import { unusableFile } from './input-file.js';
import { RecordedDisk } from './recorded-disk.js';
import { encodeRecording } from './recording.js';
import { sha256 } from './recording-format.js';
import type { Recording } from './recording-reader.js';
import { packageVersion } from './version.js';

export class Recorder {
  private readonly input: InputEntry[] = [];
  private machine: Machine | undefined;
  private files: GuestFiles | undefined;
  private options: BootOptions | undefined;
  private kernelHash = '';
  private disk: RecordedDisk | undefined;
  private diskHash = '';
  private target: Debugger | undefined;

  constructor(private readonly command: Recording['command']) {}

  /** Stands in for the disk of the machine that will be watched. */
  remember(disk: BlockStore): BlockStore {
    this.disk = new RecordedDisk(disk);
    this.diskHash = sha256(this.disk.contents());
    return this.disk;
  }

  /** `machine` has not run yet; `kernel` is the file in it. */
  watch(machine: Machine, kernel: Uint8Array, files: GuestFiles, options: BootOptions): void {
    this.machine = machine;
    this.files = files;
    this.options = options;
    this.kernelHash = sha256(kernel);
    machine.onInput = (entry) => this.input.push(entry);
  }

  /** The run goes by what this debugger says. */
  follow(target: Debugger): void {
    this.target = target;
  }

  /** Writes the run that is over. Throws BadInputError where the host does not let it, or the run cannot be recorded. */
  write(path: string, exitCode: number): void {
    if (this.target?.isChangedByHand) {
      throw new BadInputError(
        `the run was not recorded in ${path}: gdb changed registers or memory in it, or held harts, which a recording cannot have`,
      );
    }
    try {
      writeFileSync(path, encodeRecording(this.recording(exitCode)));
    } catch (error) {
      throw unusableFile('recording', path, error);
    }
  }

  private recording(exitCode: number): Recording {
    const { kernelHash, disk, diskHash, command } = this;
    const input = this.target?.pastInput ?? this.input;
    const [machine, files, options] = [this.machine!, this.files!, this.options!];
    const { harts, memoryBytes } = machine.board;
    const { seed = 0, virtio, strictTlb = false } = options;
    return {
      rvemu: packageVersion(),
      command,
      kernel: { path: files.kernel, sha256: kernelHash },
      disk: disk && { path: files.disk!, sha256: diskHash, overwritten: [...disk.overwritten] },
      machine: { harts, memoryBytes, seed, virtio, strictTlb },
      input: [...input],
      end: {
        moment: machine.moment,
        instructions: machine.instructionCount,
        exitCode,
        parts: Object.fromEntries(machine.fingerprint()),
      },
    };
  }
}
