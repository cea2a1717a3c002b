/**
 * What the caller's registers were, by the call frame information in `.debug_frame` (DWARF 5, section 6.4): for each
 * instruction, where its function has saved which register, counted from the caller's stack pointer.
 */
import type { ElfSection } from '../../machine/elf-sections.js';
import { ByteReader } from '../byte-reader.js';

/** Registers at an instruction of a function; undefined is what nobody knows. */
export interface FrameRegisters {
  readonly pc: number;
  readonly register: (number: number) => bigint | undefined;
}

/** Instructions: the three with an operand in their low bits, and others. */
const CFA = {
  advance: 0x40,
  offset: 0x80,
  restore: 0xc0,
  nop: 0x00,
  setLocation: 0x01,
  advance1: 0x02,
  advance2: 0x03,
  advance4: 0x04,
  rememberState: 0x0a,
  restoreState: 0x0b,
  define: 0x0c,
  defineRegister: 0x0d,
  defineOffset: 0x0e,
} as const;

const STACK_POINTER = 2;
const NO_PARENT = 0xffff_ffff;

/** What all of a compiler's functions begin with. */
interface Common {
  readonly codeFactor: number;
  readonly dataFactor: number;
  readonly returnRegister: number;
  readonly instructions: ByteReader;
}

interface FrameDescription {
  readonly common: Common;
  readonly start: number;
  readonly end: number;
  /** Where its instructions are in the section. */
  readonly at: number;
  readonly bytes: number;
}

/** Rules for one instruction: a register and an offset for the caller's stack pointer, and where registers were saved from there. */
interface Rules {
  base: number;
  offset: number;
  saved: Map<number, number>;
}

export class Unwinder {
  private readonly section: Uint8Array;
  private readonly descriptions: FrameDescription[] = [];

  constructor(sections: readonly ElfSection[]) {
    this.section = sections.find(({ name }) => name === '.debug_frame')?.data ?? new Uint8Array();
    try {
      this.read();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // what is damaged ends before it should
    }
  }

  /** The caller's stack pointer in a frame; undefined where there is nothing about its function. */
  callerStackPointer(frame: FrameRegisters): bigint | undefined {
    const rules = this.rulesAt(frame.pc);
    const base = rules && frame.register(rules.base);
    return base === undefined ? undefined : base + BigInt(rules!.offset);
  }

  /** The caller's frame. `word` reads a doubleword of memory. */
  caller(frame: FrameRegisters, word: (address: bigint) => bigint | undefined): FrameRegisters | undefined {
    const rules = this.rulesAt(frame.pc);
    const stackPointer = this.callerStackPointer(frame);
    if (rules === undefined || stackPointer === undefined) return undefined;
    const register = (number: number): bigint | undefined => {
      if (number === STACK_POINTER) return stackPointer;
      const offset = rules.saved.get(number);
      if (offset !== undefined) return word(stackPointer + BigInt(offset));
      return isKept(number) ? frame.register(number) : undefined;
    };
    const { returnRegister } = this.descriptionAt(frame.pc)!.common;
    const offset = rules.saved.get(returnRegister);
    const target =
      offset === undefined ? frame.register(returnRegister) : word(stackPointer + BigInt(offset));
    // The caller is in its call, which lies before where that returns to.
    return target === undefined ? undefined : { pc: Number(target) - 1, register };
  }

  private descriptionAt(pc: number): FrameDescription | undefined {
    return this.descriptions.find(({ start, end }) => pc >= start && pc < end);
  }

  private read(): void {
    const reader = new ByteReader(this.section);
    const commons = new Map<number, Common>();
    while (reader.left >= 4) {
      const at = reader.position;
      const end = reader.u32() + reader.position;
      const parent = reader.u32();
      if (parent === NO_PARENT) commons.set(at, readCommon(reader, end));
      else {
        const [start, length] = [Number(reader.u64()), Number(reader.u64())];
        const bytes = end - reader.position;
        const common = commons.get(parent);
        if (common)
          this.descriptions.push({ common, start, end: start + length, at: reader.position, bytes });
      }
      reader.position = end;
    }
  }

  private rulesAt(pc: number): Rules | undefined {
    const description = this.descriptionAt(pc);
    if (description === undefined) return undefined;
    const { common, start, at, bytes } = description;
    const rules: Rules = { base: STACK_POINTER, offset: 0, saved: new Map() };
    try {
      const initial = common.instructions.copy();
      follow(initial, common, rules, start, pc, new Map());
      const own = new ByteReader(this.section, at).slice(bytes);
      follow(own, common, rules, start, pc, new Map(rules.saved));
      return rules;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }
}

/** s0 to s11, which functions that change them save (RISC-V psABI, "Integer Register Convention"), and gp and tp. */
const isKept = (number: number): boolean =>
  number === 3 || number === 4 || number === 8 || number === 9 || number >= 18;

function readCommon(reader: ByteReader, end: number): Common {
  const version = reader.u8();
  reader.string(); // augmentation, of which gcc has none here
  if (version >= 4) reader.skip(2); // sizes of an address and of a segment selector
  const codeFactor = reader.uleb();
  const dataFactor = reader.sleb();
  const returnRegister = version === 1 ? reader.u8() : reader.uleb();
  return { codeFactor, dataFactor, returnRegister, instructions: reader.slice(end - reader.position) };
}

/** Follows instructions up to where `pc` is. Throws RangeError for one that is not known. */
function follow(
  reader: ByteReader,
  { codeFactor, dataFactor }: Common,
  rules: Rules,
  start: number,
  pc: number,
  initial: ReadonlyMap<number, number>,
): void {
  let location = start;
  const states: Rules[] = [];
  const restore = (register: number): void => {
    const offset = initial.get(register);
    if (offset === undefined) rules.saved.delete(register);
    else rules.saved.set(register, offset);
  };
  while (reader.left > 0) {
    const code = reader.u8();
    const operand = code & 0x3f;
    const kind = code & 0xc0;
    if (kind === CFA.advance) location += operand * codeFactor;
    else if (kind === CFA.offset) rules.saved.set(operand, reader.uleb() * dataFactor);
    else if (kind === CFA.restore) restore(operand);
    else if (code === CFA.setLocation) location = Number(reader.u64());
    else if (code === CFA.advance1) location += reader.u8() * codeFactor;
    else if (code === CFA.advance2) location += reader.u16() * codeFactor;
    else if (code === CFA.advance4) location += reader.u32() * codeFactor;
    else if (code === CFA.rememberState) states.push({ ...rules, saved: new Map(rules.saved) });
    else if (code === CFA.restoreState) Object.assign(rules, states.pop());
    else if (code === CFA.define) [rules.base, rules.offset] = [reader.uleb(), reader.uleb()];
    else if (code === CFA.defineRegister) rules.base = reader.uleb();
    else if (code === CFA.defineOffset) rules.offset = reader.uleb();
    else if (code !== CFA.nop) throw new RangeError(`a frame with the instruction ${code}`);
    if (location > pc) return;
  }
}
