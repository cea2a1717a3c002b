/** `rvemu boot`: puts a machine together from files and options, and runs a session with it. */
import { isatty } from 'node:tty';
import { MemoryStore } from '../devices/block-store.js';
import type { BlockStore } from '../devices/device.js';
import { BadInputError } from '../machine/errors.js';
import { Machine } from '../machine/machine.js';
import type { JitOptions } from '../rv64/jit/jit.js';
import type { BootOptions } from './boot-options.js';
import type { DebugPort } from './debug-port.js';
import { FileStore, sectorsOfImage } from './file-store.js';
import { findGuestFiles, type GuestFiles } from './guest-files.js';
import { Host } from './host.js';
import { lockImage } from './image-lock.js';
import { KeptCode } from './kept-code.js';
import { now } from './now.js';
import type { Recorder } from './recorder.js';
import { checkFolder, readInputFile } from './input-file.js';
import { LogFile } from './log-file.js';
import { say, sayOnce } from './messages.js';
import { OutputBuffer } from './output-buffer.js';
import { STDIN } from './standard-input.js';
import { Session, type SessionOptions } from './session.js';
import type { Spectator } from './spectator.js';
import { programAt, programsBeside } from './user-programs.js';

/** How long a scripted run may take that names no limit: long enough for any test suite, but not for ever. */
export const DEFAULT_TIMEOUT_SECONDS = 3600;

/** The address that only this machine can reach. */
const LOOPBACK = '127.0.0.1';
/** Memory for going back in a run that is debugged. */
export const DEFAULT_HISTORY_BYTES = 256 * 1024 ** 2;

/** Boots, runs to the end and returns the process's exit code. Throws `BadInputError` and `BlockStoreError`. */
export async function boot(
  kernel: string | undefined,
  options: BootOptions,
  spectator?: Spectator,
): Promise<number> {
  const files = findGuestFiles({ ...options, kernel });
  if (options.record === undefined) return bootFiles(files, options, spectator);
  checkFolder('recording', options.record);
  const { Recorder } = await import('./recorder.js');
  const recorder = new Recorder('boot');
  const exitCode = await bootFiles(files, options, spectator, recorder);
  recorder.write(options.record, exitCode);
  say(`recorded; "rvemu replay ${options.record}" runs it again`);
  return exitCode;
}

/** The same with files that were chosen already. */
export async function bootFiles(
  files: GuestFiles,
  options: BootOptions,
  spectator?: Spectator,
  recorder?: Recorder,
): Promise<number> {
  const { standsInForQemu = false } = options;
  const commands = options.run ?? [];
  const scripted = commands.length > 0 || options.expect !== undefined;
  const interactive = isatty(STDIN) && !scripted;

  // Clients may connect from now on, though the machine does not exist yet.
  const debugPort = await openDebugPort(options);
  const disk = await openDisk(files);
  try {
    const output = new OutputBuffer();
    const image = readInputFile('kernel', files.kernel);
    const store = disk.store && recorder ? recorder.remember(disk.store) : disk.store;
    const surroundings = { disk: store, output: output.sink };
    const keptCode = options.jit ? KeptCode.ofUser() : undefined;
    const machine = new Machine({
      kernel: image,
      harts: options.smp,
      memoryBytes: options.memory,
      seed: options.seed,
      virtio: options.virtio,
      jit: options.jit && { ...translatorOptions(options), kept: keptCode?.read(files.kernel) },
      ...(debugPort?.surround(surroundings) ?? surroundings),
      warn: sayOnce,
    });
    recorder?.watch(machine, image, files, options);
    if (options.trace !== undefined) {
      const { startTrace } = await import('./trace.js');
      startTrace(machine, image, files.kernel, { ...options, trace: options.trace });
    }
    const watcher = spectator ?? (await spectatorFor(options, files));
    watcher?.attach(machine, image);
    const explained = await explanations(options, machine, image, files, watcher);
    const target = debugPort?.debuggerFor(machine);
    if (target) recorder?.follow(target);
    const session = new Session(target ?? machine, output, {
      harts: options.smp,
      commands,
      prompt: options.prompt,
      expect: options.expect,
      interactive: interactive || standsInForQemu || target !== undefined,
      timeoutSeconds: options.timeout ?? (scripted ? DEFAULT_TIMEOUT_SECONDS : Infinity),
      now,
      interrupt: () => watcher?.ending(),
      ...explained,
    });
    const log = options.log === undefined ? undefined : new LogFile(options.log, say);
    if (interactive) say(`${files.description}; Ctrl-A x ends, Ctrl-A h helps`);
    const showsOutput = watcher?.showsOutput ?? true;
    const host = new Host(session, {
      hasTerminal: interactive,
      standsInForQemu,
      log,
      showsOutput,
      news: () => watcher?.news?.() ?? [],
      progress: watcher?.progress && (() => watcher.progress!()),
      search: watcher?.search && (() => watcher.search!()),
      summary: options.stats ? await statisticsOf(machine) : undefined,
      traces: options.trace !== undefined,
    });
    if (target) debugPort?.serve(target, host);
    const exitCode = await host.run();
    const kept = machine.keptCode();
    if (kept) keptCode?.write(files.kernel, kept);
    return exitCode;
  } finally {
    debugPort?.close();
    disk.close();
  }
}

async function spectatorFor(
  { strictTlb }: BootOptions,
  { kernel }: GuestFiles,
): Promise<Spectator | undefined> {
  if (!strictTlb) return undefined;
  const { FenceWatch } = await import('./fence-watch.js');
  return new FenceWatch(kernel);
}

/** Not for scripts that take rvemu for QEMU: what they read is the guest's words alone. */
async function explanations(
  { explainPanic = true, standsInForQemu = false, userSymbols = [] }: BootOptions,
  machine: Machine,
  image: Uint8Array,
  files: GuestFiles,
  watcher: Spectator | undefined,
): Promise<Pick<SessionOptions, 'explainPanic' | 'explainTrap'>> {
  if (!explainPanic || watcher?.showsOutput === false) return {};
  if (standsInForQemu && !isatty(STDIN)) return {};
  const { PanicWatch } = await import('./panic-watch.js');
  const named = userSymbols.map(programAt);
  if (named.length > 0) named.forEach((await import('../debug/programs.js')).readProgram);
  const watch = new PanicWatch(machine, image, files.kernel, {
    historyOf: (physical) => watcher?.historyOf?.(physical) ?? [],
    programs: () => [...named, ...programsBeside(files.kernel)],
  });
  return {
    explainPanic: (title) => watch.explain(title),
    explainTrap: (report) => watch.explainTrap(report),
  };
}

function translatorOptions({ codeBudget: budgetBytes, stats }: BootOptions): JitOptions {
  return { budgetBytes, now: stats ? now : undefined };
}

/** What --stats has printed at the end of a run that begins now. */
async function statisticsOf(machine: Machine): Promise<() => string> {
  const { statisticsText } = await import('./statistics-text.js');
  const start = now();
  return () => statisticsText(machine.statistics(), now() - start);
}

async function openDebugPort(options: BootOptions): Promise<DebugPort | undefined> {
  const { gdb, wait = false, gdbHost, history = DEFAULT_HISTORY_BYTES } = options;
  if (gdb === undefined) {
    if (wait) throw new BadInputError('--wait waits for a gdb; say with --gdb PORT where it connects');
    if (gdbHost !== undefined)
      throw new BadInputError(
        '--gdb-host says where the port for gdb is open; say with --gdb PORT which that is',
      );
    return undefined;
  }
  const { DebugPort } = await import('./debug-port.js');
  return DebugPort.open({ port: gdb, host: gdbHost ?? LOOPBACK, historyBytes: history, waits: wait });
}

/** A disk, if there is one, and what lets go of it. */
export interface OpenDisk {
  readonly store: BlockStore | undefined;
  close(): void;
}

/** Throws BadInputError where the image cannot be used, or another process writes to it. */
export async function openDisk({ disk, keepsWritesInMemory }: GuestFiles): Promise<OpenDisk> {
  if (disk === undefined) return { store: undefined, close: () => {} };
  if (keepsWritesInMemory) {
    const image = readInputFile('disk image', disk);
    sectorsOfImage(disk, image.length);
    return { store: new MemoryStore(image), close: () => {} };
  }
  const store = FileStore.open(disk, { warn: say });
  if (store.readOnly) return { store, close: () => store.close() };
  const unlock = await lockImage(disk).catch((error: unknown) => {
    store.close();
    throw error;
  });
  return {
    store,
    close: () => {
      store.close();
      unlock();
    },
  };
}
