/** What a command line of QEMU's asks for, as far as rvemu can do it. */

export interface Drive {
  file: string;
  keepsWritesInMemory: boolean;
}

export interface QemuCommand {
  /** Prints something about rvemu, in place of running. */
  shows?: 'version' | 'help';
  kernel?: string;
  harts: number;
  memoryBytes: number;
  seed?: number;
  virtio: 'legacy' | 'modern';
  /** By their id. */
  drives: Map<string, Drive>;
  /** The id of the drive in the first virtio slot. */
  disk?: string;
  /** Whether the guest's writes stay in memory, for every drive. */
  keepsWritesInMemory: boolean;
  trace?: string;
  /** Where a debugger may connect; the host is '' where none was named. */
  debugger?: { host: string; port: number };
  /** The port that `-s` means. */
  defaultPort: number;
  waitsForDebugger: boolean;
  verbose: boolean;
  /** Options without a meaning here, each with the reason. */
  ignored: string[];
  /** What the user should know before the guest runs. */
  notices: string[];
}

/** What QEMU does when it is told nothing, on the board that is always meant here. */
export function newQemuCommand(): QemuCommand {
  return {
    harts: 1,
    memoryBytes: 128 * 1024 ** 2,
    virtio: 'legacy',
    drives: new Map(),
    keepsWritesInMemory: false,
    defaultPort: 1234,
    waitsForDebugger: false,
    verbose: false,
    ignored: [],
    notices: [],
  };
}
