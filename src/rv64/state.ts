/**
 * All state of the machine that guest code touches lives at fixed offsets in one WebAssembly.Memory: registers,
 * CSRs, TLBs and RAM. The interpreter sees it through typed arrays; translated code through loads and stores.
 *
 *     0             hart 0, hart 1, … hart 7, and a spare one for dry runs: HART_BYTES each
 *     DESK_START    a spare page, see first-fills.ts
 *     TLB_START     TLB_CONTEXTS × TLB_CONTEXT_BYTES (see sv39/tlb.ts); derived from the rest, never saved
 *     NOTES_START   NOTES_BYTES for what probes keep account of (see ProbeEmitter); about the guest, not of it, so never saved
 *     RAM_START     guest RAM, a multiple of 4096 bytes
 *     then          tables of the translator (see jit/layout.ts); derived, never saved
 */
import { TLB_BYTES } from '../sv39/tlb.js';

export const MAX_HARTS = 8;
/** Index of the hart that tries out what a guest would do (see machine/virtio-version.ts). */
export const SPARE_HART = MAX_HARTS;

export const HART_BYTES = 4096;
export const FRAME_BYTES = 4096;
const WASM_PAGE = 65_536;

/** Byte offsets inside a hart's block. */
export const Offset = {
  /** x0 to x31, eight bytes each. */
  x: 0,
  /** Address of the instruction being executed, and of the one to execute next. */
  pc: 256,
  nextPc: 264,
  /** Instructions that may still run before the hart must look around (32 bits, may reach -1). */
  fuel: 272,
  /** Privilege mode: 0 user, 1 supervisor, 3 machine. */
  mode: 276,
  /** 1 while wfi waits, 2 while the hart is parked (see idle-loop.ts), 3 while it spins (see spin.ts). */
  waiting: 280,
  /** Byte offset in the memory of the TLB context for loads and stores, and of that for fetches. */
  dataTlb: 284,
  fetchTlb: 288,
  /** Offset in the memory of the bytes that lr reserved, or 0. */
  reservation: 292,
  /** Interrupt-pending bits driven by wires (MSIP, MEIP, SEIP); see trap.ts. */
  lines: 296,
  /** Traps taken since the last return from one. */
  trapDepth: 300,
  /** The hart's cycle count when fuel is used up (64-bit float, always an integer). */
  cyclesAtEmpty: 304,
  /** What to add to the cycle count for minstret and mcycle (64-bit integers). */
  instretOffset: 312,
  cycleOffset: 320,
  /** CLINT's mtimecmp for this hart, in ticks. */
  timeCompare: 328,
  /** The cycle until which a parked hart stands still (64-bit float), and how idle loops are found: idle-loop.ts. */
  parkedUntil: 336,
  idleState: 344,
  idleSteps: 348,
  idleLimit: 352,
  /** How often interrupts were enabled since the last trap. */
  idleEnabled: 356,
  /** Cycles that passed without a step, less the interrupts taken (64-bit float): see Hart.steps. */
  stepless: 360,
  /** 1 while an interrupt is pending that mie enables; right while the hart's loop executes, else 0. */
  called: 368,
  /** Where the hart was when it was last looked at between slices, and whether it is in no loop there: spin.ts. */
  spinPlace: 372,
  spinRuledOut: 376,
  /** How often the hart was parked since the last trap; the state that it was last parked in, and whether it was seen. */
  idleParks: 380,
  idleKnown: 384,
  idleStack: 388,
  idleSeen: 392,
  /** The tops of the stacks that belong to idleState and idleKnown. */
  idleTop: 396,
  idleKnownTop: 400,
  /** The CSRs that are storage, eight bytes each; see csr/bits.ts for their order. */
  csr: 512,
} as const;

export const DESK_START = (MAX_HARTS + 1) * HART_BYTES;
export const TLB_START = WASM_PAGE * Math.ceil((DESK_START + FRAME_BYTES) / WASM_PAGE);
export const NOTES_START = TLB_START + Math.ceil(TLB_BYTES / WASM_PAGE) * WASM_PAGE;
export const NOTES_BYTES = 2 * WASM_PAGE;
export const RAM_START = NOTES_START + NOTES_BYTES;

/** A table index for every slot of a page of code, and of how many pages there can be such maps at a time. */
export const ENTRY_MAP_BYTES = 2048 * 4;
export const MAX_ENTRY_MAPS = 1024;
/** What translated code counts of itself: see jit/meter.ts. */
export const CODE_COUNTER_BYTES = 3 * 8;

/** The memory and its views. */
export class State {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;
  /** Guest RAM. */
  readonly ram: Uint8Array;
  /** Byte offset of the translator's tables. The host gives them memory only where they are used. */
  readonly translatorStart: number;

  /** `ramBytes` is a multiple of 4096. Throws RangeError where the host has not that much memory. */
  constructor(readonly ramBytes: number) {
    this.translatorStart = RAM_START + ramBytes;
    const translatorBytes = (ramBytes / 4096) * 4 + MAX_ENTRY_MAPS * ENTRY_MAP_BYTES + CODE_COUNTER_BYTES;
    const pages = Math.ceil((this.translatorStart + translatorBytes) / WASM_PAGE);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.view = new DataView(buffer);
    this.ram = new Uint8Array(buffer, RAM_START, ramBytes);
  }

  /** The block of one hart. */
  hartBytes(hart: number): Uint8Array {
    return this.bytes.subarray(hart * HART_BYTES, (hart + 1) * HART_BYTES);
  }
}
