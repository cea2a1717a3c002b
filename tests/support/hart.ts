/**
 * Harts to test: set registers, run a line of assembly, look at what it did.
 *
 *     const h = boot();
 *     h.x.a0 = 5n;
 *     h.run('addi a1, a0, -6');
 *     expect(h.x.a1).toBe(-1n);
 *
 * A TestHart knows its hart through a Driver alone, which asks for no more than a debugger offers, so the same tests
 * can be pointed at another simulator through its gdb port.
 */
import { expect } from 'vitest';
import type { Bus, Timebase } from '../../src/rv64/bus.js';
import { csrByName } from '../../src/rv64/csr/index.js';
import { disassemble, REGISTER_NAMES } from '../../src/rv64/disassemble.js';
import { Frames } from '../../src/rv64/frames.js';
import { Hart } from '../../src/rv64/hart.js';
import { Offset, State } from '../../src/rv64/state.js';
import { causeName, Mode } from '../../src/rv64/trap.js';
import { assemble, assembleWord, type Program, RAM_BASE } from './assembler.js';

/** What a test needs of a simulator. Registers are x registers by ABI name, CSRs by name, `pc` and `priv`. */
export interface Driver {
  readRegister(name: string): bigint;
  writeRegister(name: string, value: bigint): void;
  readMemory(physical: bigint, bytes: number): Uint8Array;
  writeMemory(physical: bigint, data: Uint8Array): void;
  /** Executes this many instructions, counting each that traps. */
  step(count: number): void;
}

export type RegisterName = (typeof REGISTER_NAMES)[number];

const RAM_BYTES = 1 << 20;
/** Where `run` puts code, where traps go, and where tests keep data. */
export const CODE = RAM_BASE;
export const TRAP_HANDLER = RAM_BASE + 0x1_0000n;
export const DATA = RAM_BASE + 0x2_0000n;
/** Instructions that a piece of test code may execute before it is taken to hang. */
const STEP_LIMIT = 100_000;

/** What an instruction is expected to trap with. */
export interface ExpectedTrap {
  readonly cause: number | bigint;
  /** What is in mtval. */
  readonly value?: bigint;
  /** What is in mepc; the first instruction's address if not said. */
  readonly pc?: bigint;
}

export class TestHart {
  /** The x registers as signed numbers. */
  readonly x: Record<RegisterName, bigint>;
  /** The CSRs as unsigned numbers, past all access checks. */
  readonly csr: Record<string, bigint>;

  constructor(private readonly driver: Driver) {
    this.x = registers(driver, REGISTER_NAMES, 'signed') as Record<RegisterName, bigint>;
    this.csr = registers(driver, [...csrByName.keys()], 'unsigned');
    this.csr.mtvec = TRAP_HANDLER;
  }

  get pc(): bigint {
    return BigInt.asUintN(64, this.driver.readRegister('pc'));
  }

  set pc(address: bigint) {
    this.driver.writeRegister('pc', address);
  }

  get mode(): number {
    return Number(this.driver.readRegister('priv'));
  }

  set mode(mode: number) {
    this.driver.writeRegister('priv', BigInt(mode));
  }

  /** Puts a program into memory and pc at its start. Its addresses are physical. */
  load(source: string, at: bigint = CODE): Program {
    const program = assemble(source, at);
    this.driver.writeMemory(at, program.bytes);
    this.pc = at;
    return program;
  }

  step(count = 1): void {
    this.driver.step(count);
  }

  /** Runs a program from its start until it leaves at its end. Throws Error where it traps or does not end. */
  run(source: string, at: bigint = CODE): void {
    this.runLoaded(this.load(source, at));
  }

  /** Like `run`, of a program that is in memory already. */
  runLoaded(program: Program): void {
    this.pc = program.base;
    const end = program.base + BigInt(program.bytes.length);
    this.stepUntil(end);
    if (this.pc !== end) throw new Error(`unexpected trap: ${this.describeTrap()}`);
  }

  /** Expects a program to trap to machine mode at its first instruction or at `pc`. */
  expectTrap(source: string, expected: ExpectedTrap, at: bigint = CODE): void {
    const program = this.load(source, at);
    this.stepUntil(program.base + BigInt(program.bytes.length));
    if (this.pc !== TRAP_HANDLER) throw new Error(`'${source}' does not trap`);
    const { mcause, mepc, mtval } = this.csr;
    const found = { cause: causeName(mcause), pc: mepc, value: mtval };
    expect(found).toEqual({
      cause: causeName(BigInt(expected.cause)),
      pc: expected.pc ?? at,
      value: BigInt.asUintN(64, expected.value ?? mtval),
    });
  }

  /** Expects an instruction to be illegal in the current mode, and mtval to hold its bits. */
  expectIllegal(line: string): void {
    const { mode } = this;
    this.expectTrap(line, { cause: 2, value: BigInt(assembleWord(line)) });
    this.mode = mode;
  }

  /** An unsigned number in physical memory. */
  peek(physical: bigint, bytes = 8): bigint {
    return this.driver
      .readMemory(physical, bytes)
      .reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  poke(physical: bigint, value: bigint, bytes = 8): void {
    const data = Uint8Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
    this.driver.writeMemory(physical, data);
  }

  private stepUntil(end: bigint): void {
    for (let steps = 0; steps < STEP_LIMIT; steps++) {
      const { pc } = this;
      if (pc === end || pc === TRAP_HANDLER) return;
      this.step();
    }
    throw new Error(`still running at 0x${this.pc.toString(16)} after ${STEP_LIMIT} instructions`);
  }

  private describeTrap(): string {
    const { mcause, mepc, mtval } = this.csr;
    const at = mepc >= RAM_BASE && mepc < RAM_BASE + BigInt(RAM_BYTES) - 4n ? mepc : undefined;
    const instruction = at === undefined ? '' : ` (${disassemble(Number(this.peek(at, 4)), at)})`;
    return `${causeName(mcause)} at 0x${mepc.toString(16)}${instruction}, value 0x${mtval.toString(16)}`;
  }
}

/** An object whose properties are a driver's registers. */
function registers(
  driver: Driver,
  names: readonly string[],
  sign: 'signed' | 'unsigned',
): Record<string, bigint> {
  const result = {};
  for (const name of names) {
    Object.defineProperty(result, name, {
      enumerable: true,
      get: () => (sign === 'signed' ? BigInt.asIntN : BigInt.asUintN)(64, driver.readRegister(name)),
      set: (value: bigint) => driver.writeRegister(name, value),
    });
  }
  return result;
}

/** A device with one register, which remembers the stores and answers loads with the address. */
export const DEVICE = 0x1000_0000n;
const DEVICE_BYTES = 0x1000;

class TestBus implements Bus {
  readonly ramBase = Number(RAM_BASE);
  readonly stores: { offset: number; bytes: number; value: bigint }[] = [];

  load(physical: number, bytes: number): bigint | undefined {
    return this.isDevice(physical) ? BigInt.asUintN(bytes * 8, BigInt(physical)) : undefined;
  }

  store(physical: number, bytes: number, value: bigint): boolean {
    if (!this.isDevice(physical)) return false;
    this.stores.push({ offset: physical - Number(DEVICE), bytes, value });
    return true;
  }

  private isDevice(physical: number): boolean {
    return physical >= Number(DEVICE) && physical < Number(DEVICE) + DEVICE_BYTES;
  }
}

/** Ten cycles are one tick, so that the two cannot be mistaken for each other. */
export const CYCLES_PER_TICK = 10;
const timebase: Timebase = {
  ticksAt: (cycles) => BigInt(Math.floor(cycles / CYCLES_PER_TICK)),
  cycleAt: (ticks) => (ticks > 2n ** 48n ? Infinity : Number(ticks) * CYCLES_PER_TICK),
};

/** Drives a hart of this project's own. */
class LocalDriver implements Driver {
  constructor(
    private readonly hart: Hart,
    private readonly state: State,
    private readonly frames: Frames,
  ) {}

  readRegister(name: string): bigint {
    if (name === 'pc') return this.hart.pc;
    if (name === 'priv') return BigInt(this.hart.mode);
    const csr = csrByName.get(name);
    return csr ? csr.read(this.hart) : this.hart.x[indexOf(name)];
  }

  writeRegister(name: string, value: bigint): void {
    const csr = csrByName.get(name);
    if (name === 'pc') this.hart.pc = value;
    else if (name === 'priv') {
      this.hart.words[Offset.mode >>> 2] = Number(value);
      this.hart.updateContexts();
    } else if (csr === undefined) this.hart.x[indexOf(name)] = value;
    else csr.write!(this.hart, BigInt.asIntN(64, value));
  }

  readMemory(physical: bigint, bytes: number): Uint8Array {
    const at = Number(physical - RAM_BASE);
    return this.state.ram.slice(at, at + bytes);
  }

  /** Writes as a device would by DMA. */
  writeMemory(physical: bigint, data: Uint8Array): void {
    const at = Number(physical - RAM_BASE);
    for (let i = 0; i < data.length; i++) this.frames.beforeStore(at + i, 1);
    this.state.ram.set(data, at);
  }

  step(count: number): void {
    this.hart.run(this.hart.cycles + count);
  }
}

function indexOf(name: string): number {
  const index = (REGISTER_NAMES as readonly string[]).indexOf(name);
  if (index < 0) throw new Error(`no register ${name}`);
  return index;
}

/** Harts that share 1 MiB of RAM and a device, and, for tests of what no debugger shows, what they are made of. */
export function board(count: number) {
  const state = new State(RAM_BYTES);
  const frames = new Frames(state);
  const bus = new TestBus();
  const cores = Array.from({ length: count }, (_, index) => new Hart(index, state, frames, bus, timebase));
  frames.onChange = () => cores.forEach((core) => core.leave());
  for (const core of cores) core.reset(RAM_BASE, 0n);
  const harts = cores.map((core) => new TestHart(new LocalDriver(core, state, frames)));
  return { state, frames, bus, cores, harts };
}

/** One hart after reset, in the mode that is asked for, with traps going to TRAP_HANDLER. */
export function boot({ mode = Mode.Machine as number } = {}): TestHart {
  const [hart] = board(1).harts;
  hart.mode = mode;
  return hart;
}
