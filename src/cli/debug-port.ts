/** What `--gdb` brings into a session: the port, and a debugger between session and machine. */
import { Debugger } from '../debug/debugger.js';
import { GdbConnection } from '../debug/gdb/connection.js';
import type { Machine } from '../machine/machine.js';
import { GdbListener } from './gdb-listener.js';
import type { Host } from './host.js';
import { say } from './messages.js';
import { EXIT } from './session.js';

/** The address that only this machine can reach. */
const LOOPBACK = '127.0.0.1';

export class DebugPort {
  private constructor(private readonly listener: GdbListener) {}

  /** Opens the port; clients that connect wait for `serve`. Throws BadInputError. */
  static async open(port: number, host = LOOPBACK): Promise<DebugPort> {
    const listener = await GdbListener.open(host, port);
    if (!/^(127\.|::1$|localhost$)/.test(host)) {
      say(`whoever reaches port ${listener.port} of ${host} can read and change all of the guest`);
    }
    say(`gdb can connect: target remote ${host}:${listener.port}`);
    return new DebugPort(listener);
  }

  /** Stands in for the machine in a session; halted from the beginning with `wait`. */
  debuggerFor(machine: Machine, wait: boolean): Debugger {
    const target = new Debugger(machine);
    if (wait) target.halt();
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
