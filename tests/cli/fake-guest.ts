import type { OutputBuffer } from '../../src/cli/output-buffer.js';
import type { Guest } from '../../src/cli/session.js';
import { CYCLES_PER_SECOND } from '../../src/machine/clock.js';
import type { Stop } from '../../src/machine/stop.js';

/** What a scripted guest does next: compute, wait (for input or so long), or stop the machine. */
export type Act = { busySeconds: number } | { waitSeconds: number } | Stop;

/** A guest's program: prints as it likes and yields what takes time. */
export type Program = (guest: FakeGuest) => Generator<Act, void>;

/** A machine whose guest is a generator: enough of one to drive a session. */
export class FakeGuest implements Guest {
  cycles = 0;
  readonly memory = new Map<bigint, Uint8Array>();
  readonly symbolTable = new Map<string, bigint>();
  private readonly input: number[] = [];
  private readonly program: Generator<Act, void>;
  private busyUntil = 0;
  private waitUntil = 0;

  constructor(
    private readonly output: OutputBuffer,
    program: Program,
  ) {
    this.program = program(this);
  }

  readonly symbols = { address: (name: string) => this.symbolTable.get(name) };

  get pendingInput(): number {
    return this.input.length;
  }

  type(input: string | Uint8Array): void {
    this.input.push(...Buffer.from(input));
  }

  passIdle(cycles: number): void {
    this.cycles += cycles;
  }

  readMemory(address: bigint): Uint8Array | undefined {
    return this.memory.get(address);
  }

  describeHart(hart: number): string {
    return `hart ${hart}: pc 0x80000000 (spin)`;
  }

  run(cycles: number, idle: 'skip' | 'return' = 'skip'): Stop {
    const end = this.cycles + cycles;
    while (this.cycles < end) {
      if (this.busyUntil > this.cycles) {
        this.cycles = Math.min(end, this.busyUntil);
      } else if (this.waitUntil > this.cycles && this.input.length === 0) {
        if (idle === 'return' || this.waitUntil === Infinity) {
          return { kind: 'idle', cycles: this.waitUntil - this.cycles };
        }
        this.cycles = Math.min(end, this.waitUntil);
      } else {
        this.waitUntil = 0;
        const act = this.program.next().value ?? { waitSeconds: Infinity };
        if ('kind' in act) return act;
        if ('busySeconds' in act) this.busyUntil = this.cycles + act.busySeconds * CYCLES_PER_SECOND;
        else this.waitUntil = this.cycles + act.waitSeconds * CYCLES_PER_SECOND;
      }
    }
    return { kind: 'budget' };
  }

  print(text: string): void {
    for (const byte of Buffer.from(text)) this.output.sink(byte);
  }

  /** Reads all there is, echoing none of it. */
  dropInput(): void {
    this.input.length = 0;
  }

  /** Reads a line, echoing it as a console does. */
  *readLine(): Generator<Act, string> {
    let line = '';
    for (;;) {
      while (this.input.length === 0) yield { waitSeconds: Infinity };
      const character = String.fromCharCode(this.input.shift()!);
      this.print(character);
      if (character === '\n') return line;
      line += character;
    }
  }
}

/** A kernel with a shell that hands each line to `command`. */
export function shell(command: (guest: FakeGuest, line: string) => Generator<Act, void>): Program {
  return function* (guest) {
    guest.print('booting\n');
    yield { busySeconds: 0.01 };
    for (;;) {
      guest.print('$ ');
      yield* command(guest, yield* guest.readLine());
    }
  };
}
