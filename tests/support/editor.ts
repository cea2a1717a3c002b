/** An editor that debugs a guest: the client that comes with the protocol, speaking with a built `rvemu dap`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RVEMU } from './process.js';

const PATIENCE_MILLIS = 60_000;

type Stopped = DebugProtocol.StoppedEvent['body'];

export class Editor extends DebugClient {
  /** What the guest printed, and what rvemu said. */
  readonly outputs: Record<string, string> = { stdout: '', console: '' };
  private adapter!: ChildProcess;

  constructor() {
    super('', '', 'rvemu');
    this.defaultTimeout = PATIENCE_MILLIS;
    this.on('output', ({ body }: DebugProtocol.OutputEvent) => {
      this.outputs[body.category!] += body.output;
    });
  }

  override async start(): Promise<void> {
    const [command, ...rest] = RVEMU;
    this.adapter = spawn(command, [...rest, 'dap'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.connect(this.adapter.stdout!, this.adapter.stdin!);
  }

  /** Hangs up, and returns the adapter's exit code. */
  async end(): Promise<number | null> {
    const { adapter } = this;
    if (adapter.exitCode !== null) return adapter.exitCode;
    adapter.stdin!.end();
    const [code] = await once(adapter, 'exit');
    return code;
  }

  /** Launches a guest, sets breakpoints on functions, and lets it begin. */
  async begin(launch: object = {}, functions: readonly string[] = []): Promise<void> {
    await Promise.all([this.launch(launch), this.waitForEvent('initialized')]);
    await this.breakAt(...functions);
    await this.configurationDoneRequest();
  }

  async breakAt(...functions: readonly string[]): Promise<DebugProtocol.Breakpoint[]> {
    const breakpoints = functions.map((name) => ({ name }));
    return (await this.setFunctionBreakpointsRequest({ breakpoints })).body.breakpoints;
  }

  /** Asks for something that ends with a stop, and returns what the adapter says of it. */
  async untilStopped(action: () => Promise<unknown>): Promise<Stopped> {
    const [event] = await Promise.all([this.waitForEvent('stopped', PATIENCE_MILLIS), action()]);
    return (event as DebugProtocol.StoppedEvent).body;
  }

  async stack(threadId = 1): Promise<DebugProtocol.StackFrame[]> {
    return (await this.stackTraceRequest({ threadId })).body.stackFrames;
  }

  /** Function, file and line of a thread. */
  async place(threadId = 1): Promise<string> {
    const [{ name, source, line }] = await this.stack(threadId);
    return `${name} ${source?.name}:${line}`;
  }

  async evaluate(expression: string): Promise<string> {
    return (await this.evaluateRequest({ expression, context: 'watch' })).body.result;
  }
}
