/** What `--gdb` brings into a session: the port, and a debugger between session and machine. */
import { Debugger } from '../debug/debugger.js';
import { GdbConnection } from '../debug/gdb/connection.js';
import { History } from '../debug/history/history.js';
import { OutputGate } from '../debug/history/output-gate.js';
import type { BlockStore, ByteSink } from '../devices/device.js';
import { RewindableStore } from '../devices/rewindable-store.js';
import type { Machine } from '../machine/machine.js';
import { GdbListener } from './gdb-listener.js';
import type { Host } from './host.js';
import { say } from './messages.js';
import { EXIT } from './session.js';

export interface DebugPortOptions {
  readonly port: number;
  readonly host: string;
  /** Memory for going back; 0 for no way back. */
  readonly historyBytes: number;
  /** Whether nothing runs before a debugger says so. */
  readonly waits: boolean;
}

/** A machine's own part of the host. */
interface Surroundings {
  readonly disk: BlockStore | undefined;
  readonly output: ByteSink;
}

export class DebugPort {
  private gate: OutputGate | undefined;

  private constructor(
    private readonly listener: GdbListener,
    private readonly options: DebugPortOptions,
  ) {}

  /** Opens the port; clients that connect wait for `serve`. Throws BadInputError. */
  static async open(options: DebugPortOptions): Promise<DebugPort> {
    const { host, port } = options;
    const listener = await GdbListener.open(host, port);
    if (!/^(127\.|::1$|localhost$)/.test(host)) {
      say(`whoever reaches port ${listener.port} of ${host} can read and change all of the guest`);
    }
    say(`gdb can connect: target remote ${host}:${listener.port}`);
    return new DebugPort(listener, options);
  }

  /** What to give to the machine for its disk and its output, so that its run can be gone back in. */
  surround({ disk, output }: Surroundings): Surroundings {
    if (this.options.historyBytes === 0) return { disk, output };
    this.gate = new OutputGate(output);
    return { disk: disk && new RewindableStore(disk), output: this.gate.sink };
  }

  /** Stands in for the machine in a session. */
  debuggerFor(machine: Machine): Debugger {
    const history = this.gate && new History(machine, this.gate, this.options.historyBytes);
    const target = new Debugger(machine, history);
    if (this.options.waits) target.halt();
    return target;
  }

  serve(target: Debugger, host: Host): void {
    target.onResume = () => host.wake();
    this.listener.serve((send) => {
      const connection = new GdbConnection(target, { send, onKill: () => host.leave(EXIT.done) });
      host.wake();
      return connection;
    });
  }

  close(): void {
    this.listener.close();
  }
}
