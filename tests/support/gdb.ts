/** A client of the gdb remote serial protocol without a socket: it speaks with a connection in the same process. */
import { Debugger } from '../../src/debug/debugger.js';
import type { History } from '../../src/debug/history/history.js';
import { GdbConnection } from '../../src/debug/gdb/connection.js';
import { bytesOf, packet } from '../../src/debug/gdb/packets.js';
import type { Machine } from '../../src/machine/machine.js';

export class GdbClient {
  readonly target: Debugger;
  readonly connection: GdbConnection;
  killed = false;
  private received = '';

  constructor(
    readonly machine: Machine,
    history?: History,
  ) {
    this.target = new Debugger(machine, history);
    this.connection = new GdbConnection(this.target, {
      send: (bytes) => (this.received += String.fromCharCode(...bytes)),
      onKill: () => (this.killed = true),
    });
  }

  /** What has come since the last call, as it is. */
  take(): string {
    const { received } = this;
    this.received = '';
    return received;
  }

  sendRaw(characters: string): void {
    this.connection.receive(bytesOf(characters));
  }

  /** Sends a packet and returns the body of the answer; undefined where none comes before the guest runs. */
  ask(body: string): string | undefined {
    this.connection.receive(packet(body));
    return /\$([^]*)#..$/.exec(this.take())?.[1];
  }

  /** Sends a packet that lets the guest go on, runs it until it halts, and returns the stop reply. */
  go(body: string, cycles = 1e9): string {
    this.connection.receive(packet(body));
    return this.wait(cycles);
  }

  /** Runs the guest until it halts, and returns the stop reply. */
  wait(cycles = 1e9): string {
    for (const end = this.machine.cycles + cycles; !this.target.isHalted;) {
      const stop = this.target.run(100_000);
      if (stop.kind !== 'budget' && stop.kind !== 'paused') break;
      if (this.machine.cycles >= end) throw new Error(`no halt after ${cycles} cycles`);
    }
    return /\$([^]*)#..$/.exec(this.take())![1];
  }

  /** A register of the thread that is looked at. */
  register(number: number): bigint {
    const digits = this.ask(`p${number.toString(16)}`)!;
    return BigInt('0x' + digits.match(/../g)!.reverse().join(''));
  }

  get pc(): bigint {
    return this.register(32);
  }
}
