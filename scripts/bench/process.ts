/** Whole processes by the wall clock: from their start to each prompt, or to their end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** A measurement that could not be made; its message is one line for the user. */
export class BenchError extends Error {
  override name = 'BenchError';
}

export interface CommandLine {
  readonly program: string;
  readonly arguments: readonly string[];
  /** The folder in which rvemu keeps translated code from run to run; none if not given. */
  readonly cache?: string;
}

/** What a guest with a shell was seen to do. */
export interface SessionTimes {
  /** Seconds from the start of the process to the first prompt. */
  readonly boot: number;
  /** Seconds from the prompt at which each command was typed to the next. */
  readonly commands: readonly number[];
  /** Seconds of processor time that the process itself had by then; undefined where the host has no /proc. */
  readonly processorSeconds?: number;
  /** The most memory that the process had, in bytes; undefined where the host has no /proc. */
  readonly memoryBytes?: number;
}

const PROMPT = /^\$ /gm;

/** What a guest prints when a command, or its kernel, went wrong. */
const MISHAP = /^(panic: |bench: |calls: |sh: |exec \w+ failed|SOME TESTS FAILED).*$/m;

const now = (): number => performance.now() / 1000;

/**
 * Starts a simulator and watches `commands` being run at the guest's prompts; then ends it. A command is typed here, or,
 * with `typesItself`, by the simulator, which was told on its command line. Throws BenchError if the guest ends or fails,
 * or a prompt takes longer than `timeoutSeconds`.
 */
export async function timeSession(
  command: CommandLine,
  commands: readonly string[],
  typesItself: boolean,
  timeoutSeconds: number,
): Promise<SessionTimes> {
  const started = now();
  const { child, errors } = start(command);
  const prompts: number[] = [];
  let output = '';
  let memoryBytes: number | undefined;
  let processorSeconds: number | undefined;
  let timedOut = false;
  const giveUp = () => {
    timedOut = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(giveUp, 1000 * timeoutSeconds);
  try {
    for await (const chunk of child.stdout!.setEncoding('latin1')) {
      output += chunk;
      memoryBytes = peakMemory(child) ?? memoryBytes;
      processorSeconds = processorTime(child) ?? processorSeconds;
      if (MISHAP.test(output)) break;
      const shown = output.match(PROMPT)?.length ?? 0;
      if (shown === prompts.length) continue;
      while (prompts.length < shown) prompts.push(now());
      if (prompts.length > commands.length) break;
      clearTimeout(timer);
      timer = setTimeout(giveUp, 1000 * timeoutSeconds);
      if (!typesItself) child.stdin!.write(`${commands[shown - 1]}\n`);
    }
  } finally {
    clearTimeout(timer);
    await end(child);
  }
  const mishap = MISHAP.exec(output);
  const current = prompts.length === 0 ? 'boot' : `"${commands[prompts.length - 1]}"`;
  if (mishap) throw new BenchError(`${command.program}: ${current}: ${mishap[0].trim()}`);
  if (timedOut) throw new BenchError(`${command.program}: ${current} took more than ${timeoutSeconds} s`);
  if (prompts.length <= commands.length) {
    throw new BenchError(`${command.program} ended during ${current}: ${lastLine(errors() || output)}`);
  }
  return {
    boot: prompts[0] - started,
    commands: commands.map((_, index) => prompts[index + 1] - prompts[index]),
    processorSeconds,
    memoryBytes,
  };
}

/** Seconds from a process's start to its end. Throws BenchError if it fails or takes longer than `timeoutSeconds`. */
export async function timeToEnd(command: CommandLine, timeoutSeconds: number): Promise<number> {
  const started = now();
  const { child, errors } = start(command);
  child.stdout!.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * timeoutSeconds);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    const seconds = now() - started;
    if (code === null) throw new BenchError(`${describe(command)} took more than ${timeoutSeconds} s`);
    if (code !== 0)
      throw new BenchError(`${describe(command)} ended with code ${code} ${lastLine(errors())}`);
    return seconds;
  } finally {
    clearTimeout(timer);
    await end(child);
  }
}

const describe = ({ program, arguments: values }: CommandLine): string => [program, ...values].join(' ');

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)!.slice(-200);

function start({ program, arguments: values, cache = '' }: CommandLine): {
  child: ChildProcess;
  errors: () => string;
} {
  const child = spawn(program, values, { stdio: 'pipe', env: { ...process.env, RVEMU_CACHE: cache } });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  // A guest that ends while it is typed to is noticed by its end.
  child.stdin.on('error', () => {});
  return { child, errors: () => errors };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** The largest resident size that a running process has had, as Linux's proc(5) tells it. */
function peakMemory(child: ChildProcess): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Seconds that a running process computed for, not counting the kernel's part: utime of proc(5), in hundredths. */
function processorTime(child: ChildProcess): number | undefined {
  try {
    const [, fields] = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ');
    return Number(fields.split(' ')[11]) / 100;
  } catch {
    return undefined;
  }
}
