/**
 * The last of many events that may repeat, such as that each frame was allocated: in columns, for an object for each would keep
 * the host busy collecting them.
 */
import type { Event } from './finding.js';

export class EventLog {
  private readonly instructions: Float64Array;
  private readonly cycles: Float64Array;
  private readonly harts: Uint8Array;
  private readonly processes: Event['process'][];
  /** Undefined where nothing happened yet. */
  private readonly stacks: (Event['stack'] | undefined)[];

  /** For what has numbers from 0 up to `count`. */
  constructor(count: number) {
    this.instructions = new Float64Array(count);
    this.cycles = new Float64Array(count);
    this.harts = new Uint8Array(count);
    this.processes = new Array<Event['process']>(count).fill(undefined);
    this.stacks = new Array<Event['stack'] | undefined>(count).fill(undefined);
  }

  put(
    number: number,
    instruction: number,
    cycle: number,
    hart: number,
    process: Event['process'],
    stack: Event['stack'],
  ): void {
    this.instructions[number] = instruction;
    this.cycles[number] = cycle;
    this.harts[number] = hart;
    this.processes[number] = process;
    this.stacks[number] = stack;
  }

  at(number: number): Event | undefined {
    const stack = this.stacks[number];
    if (stack === undefined) return undefined;
    return {
      instruction: this.instructions[number],
      cycle: this.cycles[number],
      hart: this.harts[number],
      process: this.processes[number],
      stack,
    };
  }
}
