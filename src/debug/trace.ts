/** Traces: a line for each thing that happens and that a filter lets through; see trace-filter.ts. */
import type { DiskRequest } from '../devices/virtio-blk.js';
import { readElf } from '../machine/elf.js';
import { describeTrap } from '../machine/explain.js';
import type { Machine } from '../machine/machine.js';
import { disassemble } from '../rv64/disassemble.js';
import type { Hart, Observer } from '../rv64/hart.js';
import { Cause, Mode, MODE_NAMES } from '../rv64/trap.js';
import { physicalAddress } from './address-space.js';
import { Breakpoints } from './breakpoints.js';
import { accessOf } from './memory-operand.js';
import { type ProgramFile, Programs } from './programs.js';
import { callNames, SystemCall } from './syscalls.js';
import {
  type CodePlaces,
  parseFilter,
  type Range,
  type TraceFilter,
  type TraceKind,
} from './trace-filter.js';

const RESULT = 10;
/** Columns that a function's name takes. */
const NAME_WIDTH = 24;

export interface TracedProcess {
  /** 0 where it is not known. */
  readonly pid: number;
  readonly name: string;
  /** Tells it from all others, at any time. */
  readonly address: number;
}

/** What a tracer is told of the guest besides what it sees itself. */
export interface TracedGuest {
  /** The file that the machine runs. */
  readonly kernel: Uint8Array;
  /** The user programs whose ELF files are there. */
  readonly programs?: readonly ProgramFile[];
  /** The process that a hart runs, where the kernel's processes were found. */
  readonly processOn?: (hart: Hart) => TracedProcess | undefined;
}

export class Tracer {
  private readonly filter: TraceFilter;
  private readonly programs: Programs;
  private readonly processOn: NonNullable<TracedGuest['processOn']>;
  /** Calls that have not returned, by process. */
  private readonly calls = new Map<number, { readonly call: SystemCall; readonly place: string }>();

  /** Writes a line for all that passes `filter` from now on. Throws BadInputError for one it cannot read. */
  constructor(
    private readonly machine: Machine,
    filter: string,
    private readonly write: (line: string) => void,
    { kernel, programs = [], processOn = () => undefined }: TracedGuest,
  ) {
    const nameOf = (hart: Hart): string | undefined => processOn(hart)?.name;
    this.processOn = processOn;
    this.programs = new Programs(machine, programs, nameOf);
    this.filter = parseFilter(filter, { machine, programs: this.programs, nameOf });
    const names = callNames(machine, readElf(kernel).symbols);
    for (const hart of machine.harts) hart.observer = this.observerOf(hart, names);
    if (this.shows('instructions') && this.filter.code) this.watch(this.filter.code);
    if (this.shows('disk')) machine.onDiskRequest = (request, hart) => this.disk(request, hart);
  }

  /** Has each instruction at these places shown, and everything else run at full speed. */
  private watch({ physical, virtual }: CodePlaces): void {
    const { machine } = this;
    const show = (hart: Hart): void => this.instruction(hart);
    for (const address of addressesIn(physical)) machine.setProbe(address, show);
    const points = new Breakpoints(machine, (hart) => (show(hart), false));
    for (const address of addressesIn(virtual)) points.add(address);
  }

  /**
   * Being told of each instruction makes a hart slow. So it is told of none where probes do that, and only in user mode
   * where no others pass.
   */
  private observerOf(hart: Hart, names: ReadonlyMap<number, string>): Observer {
    const { code, isUserOnly } = this.filter;
    const instruction = (each: Hart): void => this.instruction(each);
    const isTold = this.shows('instructions') && code === undefined;
    const observer: Observer = {
      instruction: isTold && !isUserOnly ? instruction : undefined,
      trap: (each, cause, value) => {
        this.trap(each, cause, value, names);
        if (isUserOnly) observer.instruction = undefined;
      },
      returned: () => {
        if (hart.mode !== Mode.User) return;
        this.returned(hart);
        if (!isTold || !isUserOnly) return;
        observer.instruction = instruction;
        hart.leave();
      },
    };
    return observer;
  }

  shows(kind: TraceKind): boolean {
    return this.filter.kinds.has(kind);
  }

  /** Writes a line about what `hart` does, if the filter lets it through. */
  line(hart: Hart, text: string): void {
    this.lineAt(hart)?.(text);
  }

  /** What writes a line about where `hart` is now; undefined if the filter lets none through. */
  lineAt(hart: Hart): ((text: string) => void) | undefined {
    if (!this.filter.passes(hart)) return undefined;
    const start = this.start(hart);
    return (text) => this.write(`${start} ${text}`);
  }

  /** Has `action` called when `hart` is done with the instruction that it executes just now. */
  afterInstruction(hart: Hart, action: () => void): void {
    const observer = hart.observer!;
    const { instruction } = observer;
    observer.instruction = (each) => {
      observer.instruction = instruction;
      action();
      instruction?.(each);
    };
    hart.leave();
  }

  private start(hart: Hart): string {
    return `${this.when(hart)} ${this.place(hart)}`;
  }

  private when(hart: Hart): string {
    return `${this.machine.instructionCount}`.padStart(12) + ` ${hart.index} ${MODE_NAMES[hart.mode][0]}`;
  }

  private place(hart: Hart): string {
    const pc = BigInt.asUintN(64, hart.pc);
    return `${pc.toString(16).padStart(16, '0')} ${this.programs.describe(hart, pc).padEnd(NAME_WIDTH)}`;
  }

  private instruction(hart: Hart): void {
    if (!this.filter.passes(hart)) return;
    const word = hart.peekInstruction();
    if (word === undefined) return this.line(hart, '(not mapped)');
    const address = accessOf(hart);
    this.line(
      hart,
      disassemble(word, hart.pc) + (address === undefined ? '' : `   ${this.memory(hart, address)}`),
    );
  }

  /** `[0x3fffffdfe0 -> 0x87f52fe0]` */
  private memory(hart: Hart, address: bigint): string {
    const physical = physicalAddress(this.machine, hart, address);
    return `[${hex(address)} -> ${physical === undefined ? 'not mapped' : hex(physical)}]`;
  }

  private trap(hart: Hart, cause: bigint, value: bigint, names: ReadonlyMap<number, string>): void {
    if (this.shows('traps')) this.line(hart, `trap: ${describeTrap(cause, value)}`);
    if (!this.shows('syscalls') || cause !== BigInt(Cause.UserEcall) || !this.filter.passes(hart)) return;
    const call = new SystemCall(this.machine, hart, names);
    if (call.isExit) this.write(`${this.start(hart)} ${this.who(hart)}${call.begun}`);
    else this.calls.set(this.keyOf(hart), { call, place: this.place(hart) });
  }

  /** Back in user mode, a process has its result in a0. The line has the place of the call. */
  private returned(hart: Hart): void {
    const begun = this.calls.get(this.keyOf(hart));
    if (begun === undefined) return;
    this.calls.delete(this.keyOf(hart));
    const result = begun.call.finished(hart.x[RESULT]);
    this.write(`${this.when(hart)} ${begun.place} ${this.who(hart)}${result}`);
  }

  private keyOf(hart: Hart): number {
    return this.processOn(hart)?.address ?? -hart.index;
  }

  private who(hart: Hart): string {
    const process = this.processOn(hart);
    if (process === undefined) return '';
    return process.pid === 0 ? `${process.name}: ` : `${process.name} (${process.pid}): `;
  }

  private disk({ kind, sector, bytes, isDone }: DiskRequest, hart: Hart | undefined): void {
    if (hart === undefined) return;
    this.line(hart, `disk: ${kind} sector ${sector}, ${bytes} bytes${isDone ? '' : ': failed'}`);
  }
}

/** Where instructions can begin. */
function* addressesIn(ranges: readonly Range[]): Generator<bigint> {
  for (const { start, end } of ranges) for (let at = start; at < end; at += 2n) yield at;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
