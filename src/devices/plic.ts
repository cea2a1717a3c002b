/**
 * The platform-level interrupt controller: offers the devices' interrupts to the harts (RISC-V PLIC specification
 * 1.0.0, in the SiFive layout). Sources are 1 to 95; context 2·hart is the hart's M-mode, 2·hart + 1 its S-mode.
 *
 *   0x00_0000 + 4·source          priority    0 (never interrupts) to 7
 *   0x00_1000 + 4·word            pending     a bit for each source, read-only
 *   0x00_2000 + 0x80·context      enable      a bit for each source, in three words
 *   0x20_0000 + 0x1000·context    threshold   only priorities above it interrupt
 *   0x20_0004 + 0x1000·context    claim       a read takes the best pending source (0 if none), a write completes it
 *
 * Registers are words; narrower accesses read 0 and are dropped, and so are accesses to contexts that are not there.
 *
 * The gateway of a source follows its line: the source is pending from the moment its device raises the line until
 * the device lowers it or a hart claims it; between claim and completion it is offered to nobody. A device says
 * `set(true)` again when it has more to tell, and that makes the source pending again even if the line never fell.
 * A line that merely stays high does not. A hardware gateway would offer such a line for ever, and kernels written
 * on QEMU rely on the difference: xv6 until 2023 does not acknowledge the UART's transmitter interrupt, and
 * on such hardware would be interrupted at every instruction (mit-pdos/xv6-riscv pull request 167).
 */

import type { Device, InterruptLine, Width } from './device.js';

/** Highest interrupt source. Source 0 does not exist: 0 means "none" when claiming. */
const LAST_SOURCE = 95;
const WORDS = 3;
const PRIORITY_MASK = 7;

const PENDING = 0x1000;
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const THRESHOLD = 0x20_0000;
const THRESHOLD_STRIDE = 0x1000;
const CLAIM = 4;

interface Context {
  enabled: Uint32Array;
  threshold: number;
}

interface PlicState {
  priorities: number[];
  pending: number[];
  claimed: number[];
  contexts: { enabled: number[]; threshold: number }[];
}

export class Plic implements Device {
  readonly name = 'plic';
  readonly size = 0x60_0000;

  private readonly priorities = new Uint8Array(LAST_SOURCE + 1);
  /** Bit sets over the sources, as the guest sees them: source s is bit s % 32 of word s / 32. */
  private readonly pending = new Uint32Array(WORDS);
  private readonly claimed = new Uint32Array(WORDS);
  private readonly contexts: Context[];

  /** `outputs[context]` is raised while a source waits that the context should be interrupted for. */
  constructor(private readonly outputs: InterruptLine[]) {
    this.contexts = outputs.map(() => ({ enabled: new Uint32Array(WORDS), threshold: 0 }));
  }

  /** The line from a device into source 1 to 95. */
  line(source: number): InterruptLine {
    if (!(source >= 1 && source <= LAST_SOURCE)) throw new RangeError(`no interrupt source ${source}`);
    return {
      set: (level) => {
        setBit(this.pending, source, level);
        this.update();
      },
    };
  }

  load(offset: number, width: Width): number {
    if (width !== 4) return 0;
    if (offset < PENDING) return this.priorities[offset >> 2] ?? 0;
    if (offset < ENABLE) return this.pending[(offset - PENDING) >> 2] ?? 0;
    if (offset < THRESHOLD) return this.enableWords(offset)?.[enableWord(offset)] ?? 0;
    const context = contextAt(offset);
    if (!this.contexts[context]) return 0;
    if (offset % THRESHOLD_STRIDE === 0) return this.contexts[context].threshold;
    return offset % THRESHOLD_STRIDE === CLAIM ? this.claim(context) : 0;
  }

  store(offset: number, width: Width, value: number): void {
    if (width !== 4) return;
    if (offset < PENDING) {
      // Source 0 keeps priority 0; beyond the last source the array drops the store.
      if (offset > 0) this.priorities[offset >> 2] = value & PRIORITY_MASK;
    } else if (offset < ENABLE) {
      return;
    } else if (offset < THRESHOLD) {
      const word = enableWord(offset);
      const words = this.enableWords(offset);
      // Source 0 cannot be enabled; beyond the last word the array drops the store.
      if (words) words[word] = word === 0 ? value & ~1 : value;
    } else {
      const context = contextAt(offset);
      if (!this.contexts[context]) return;
      if (offset % THRESHOLD_STRIDE === 0) this.contexts[context].threshold = value & PRIORITY_MASK;
      if (offset % THRESHOLD_STRIDE === CLAIM) this.complete(context, value);
    }
    this.update();
  }

  /** Takes the best source for the context, whatever its threshold (specification, section 8), or 0. */
  private claim(context: number): number {
    const source = this.best(context, 0);
    if (source === 0) return 0;
    setBit(this.pending, source, false);
    setBit(this.claimed, source, true);
    this.update();
    return source;
  }

  /** A source completed by a context that has not enabled it stays claimed (specification, section 9). */
  private complete(context: number, source: number): void {
    if (source > LAST_SOURCE || !hasBit(this.contexts[context].enabled, source)) return;
    setBit(this.claimed, source, false);
  }

  /** The offered source of highest priority above `threshold`, the lowest number among equals, or 0. */
  private best(context: number, threshold: number): number {
    const { enabled } = this.contexts[context];
    let best = 0;
    let bestPriority = threshold;
    for (let word = 0; word < WORDS; word++) {
      let offered = this.pending[word] & ~this.claimed[word] & enabled[word];
      while (offered !== 0) {
        const bit = 31 - Math.clz32(offered & -offered);
        const source = word * 32 + bit;
        if (this.priorities[source] > bestPriority) {
          best = source;
          bestPriority = this.priorities[source];
        }
        offered &= offered - 1;
      }
    }
    return best;
  }

  /** Drives every context's output from the registers. */
  private update(): void {
    this.outputs.forEach((output, context) => {
      output.set(this.best(context, this.contexts[context].threshold) !== 0);
    });
  }

  private enableWords(offset: number): Uint32Array | undefined {
    return this.contexts[Math.floor((offset - ENABLE) / ENABLE_STRIDE)]?.enabled;
  }

  state(): PlicState {
    return {
      priorities: [...this.priorities],
      pending: [...this.pending],
      claimed: [...this.claimed],
      contexts: this.contexts.map(({ enabled, threshold }) => ({ enabled: [...enabled], threshold })),
    };
  }

  restore(state: unknown): void {
    const { priorities, pending, claimed, contexts } = state as PlicState;
    this.priorities.set(priorities);
    this.pending.set(pending);
    this.claimed.set(claimed);
    this.contexts.forEach((context, index) => {
      context.enabled.set(contexts[index].enabled);
      context.threshold = contexts[index].threshold;
    });
    this.update();
  }
}

function enableWord(offset: number): number {
  return (offset % ENABLE_STRIDE) >> 2;
}

function contextAt(offset: number): number {
  return Math.floor((offset - THRESHOLD) / THRESHOLD_STRIDE);
}

function hasBit(words: Uint32Array, bit: number): boolean {
  return (words[bit >> 5] & (1 << (bit & 31))) !== 0;
}

function setBit(words: Uint32Array, bit: number, value: boolean): void {
  if (value) words[bit >> 5] |= 1 << (bit & 31);
  else words[bit >> 5] &= ~(1 << (bit & 31));
}
