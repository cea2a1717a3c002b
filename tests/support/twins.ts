/** Two boards, of which one interprets and the other executes translated code, given the same to do. */
import { expect } from 'vitest';
import { PMPADDR_SLOT, Slot } from '../../src/rv64/csr/bits.js';
import { encode } from '../../src/rv64/row.js';
import type { Hart } from '../../src/rv64/hart.js';
import { Jit } from '../../src/rv64/jit/jit.js';
import { rows } from '../../src/rv64/isa/index.js';
import type { State } from '../../src/rv64/state.js';
import { Mode } from '../../src/rv64/trap.js';
import { RAM_BASE } from './assembler.js';
import { board, CODE, DATA, TRAP_HANDLER } from './hart.js';

/** Prepares a hart that was just reset, and the memory. */
export type Setting = (core: Hart, state: State) => void;

/** How much from DATA on may differ between settings. */
export const DATA_BYTES = 0x3000;

/** What a test has both boards do from CODE on; an endless loop is to follow it. */
const CYCLES = 16;
/** Execution arrives at code twice before it is translated. */
const ROUNDS_UNTIL_TRANSLATED = 3;
export const ENDLESS_LOOP = encode(
  rows.find(({ name }) => name === 'jal')!,
  { rd: 0, imm: 0 },
);
/** One entry that grants all of memory: NAPOT, RWX. */
const PMP_ALL = 0x1fn;

export class Twins {
  private readonly interpreted = board(1);
  private readonly translated = board(1);
  private readonly jit: Jit;

  constructor() {
    const { state, cores, frames } = this.translated;
    this.jit = new Jit(state, cores, { hotAfter: 1, plainFirst: 0 });
    cores[0].translator = this.jit;
    frames.onCodeDropped = (page) => this.jit.forget(page);
  }

  /** Has both execute the code and expects the same outcome; returns how many instructions were translated code's. */
  compare(code: Uint8Array, setting: Setting): number {
    const expected = execute(this.interpreted, code, setting);
    for (let round = 1; round < ROUNDS_UNTIL_TRANSLATED; round++) execute(this.translated, code, setting);
    const before = this.jit.statistics().instructions;
    const found = execute(this.translated, code, setting);
    expect(found).toEqual(expected);
    return this.jit.statistics().instructions - before;
  }

  /** Expects the two to have the same in all of RAM. */
  compareMemory(): void {
    expect(Buffer.compare(this.translated.state.ram, this.interpreted.state.ram)).toBe(0);
  }
}

/** Everything that can be seen afterwards. */
function execute(
  { state, frames, cores, harts, bus }: ReturnType<typeof board>,
  code: Uint8Array,
  set: Setting,
) {
  const [core] = cores;
  const at = Number(CODE - RAM_BASE);
  if (Buffer.compare(state.ram.subarray(at, at + code.length), code) !== 0) {
    for (let i = 0; i < code.length; i++) frames.beforeStore(at + i, 1);
    state.ram.set(code, at);
  }
  const handler = Number(TRAP_HANDLER - RAM_BASE);
  if (state.view.getInt32(state.ram.byteOffset + handler, true) !== ENDLESS_LOOP)
    harts[0].load('again: j again', TRAP_HANDLER);
  bus.stores.length = 0;
  core.reset(CODE, 0n);
  core.csr[Slot.mtvec] = TRAP_HANDLER;
  core.csr[Slot.stvec] = TRAP_HANDLER;
  core.csr[Slot.pmpcfg0] = PMP_ALL;
  core.csr[PMPADDR_SLOT] = (1n << 54n) - 1n;
  core.updateProtection();
  set(core, state);
  core.updateContexts();
  core.x[0] = 0n;
  core.run(CYCLES);
  return {
    registers: [...core.x],
    csrs: [...core.csr],
    rest: sum(core.saveBlock()),
    data: sum(state.ram.subarray(Number(DATA - RAM_BASE), Number(DATA - RAM_BASE) + DATA_BYTES)),
    stores: [...bus.stores],
  };
}

function sum(bytes: Uint8Array): number {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let hash = 0;
  for (let i = 0; i < words.length; i++)
    if (words[i] !== 0) hash = Math.imul(hash ^ words[i] ^ i, 0x9e37_79b1);
  return hash;
}

export const MODES = [Mode.User, Mode.Supervisor, Mode.Machine];
