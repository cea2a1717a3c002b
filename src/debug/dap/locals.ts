/** The variables of C that a debugger's user sees in a frame, and expressions that name them or their parts. */
import type { Machine } from '../../machine/machine.js';
import type { Hart } from '../../rv64/hart.js';
import { readVirtual } from '../address-space.js';
import { elementAt, partsOf, showValue, type Surroundings, type TypedValue } from '../dwarf/typed-value.js';
import { numberOf } from '../dwarf/expression.js';
import type { FrameRegisters } from '../dwarf/unwinder.js';
import type { Frame } from '../dwarf/variables.js';
import type { Code } from './code.js';

const WORD_BYTES = 8;
/** A variable, and the way to a part of it, as in `process->name` or `frames[3].next`. */
const PATH = /^[A-Za-z_]\w*(?:(?:\.|->)[A-Za-z_]\w*|\[\d+\])*$/;
const STEP = /(\.|->)([A-Za-z_]\w*)|\[(\d+)\]/g;

export class Locals {
  constructor(
    private readonly machine: Machine,
    private readonly code: Code,
  ) {}

  /** What can be seen in a frame of a hart, the innermost one being 0. */
  of(hart: Hart, frame: number): TypedValue[] {
    const place = this.placeOf(hart, frame);
    return place ? (this.code.programOn(hart)?.variables.at(place.address, place.state) ?? []) : [];
  }

  /**
   * The variable, or the part of one, that an expression names; undefined where it is something else. Throws RangeError,
   * with a sentence for the user, for a part that is not there.
   */
  named(hart: Hart, frame: number, expression: string): TypedValue | undefined {
    const text = expression.trim();
    if (!PATH.test(text)) return undefined;
    const [name] = /^\w+/.exec(text)!;
    const steps = [...text.slice(name.length).matchAll(STEP)];
    const variable = this.variable(hart, frame, name);
    const found = steps.reduce((value, step) => value && this.follow(hart, value, step), variable);
    if (found === undefined && steps.length > 0)
      throw new RangeError(`"${text}" is no variable that can be seen here, and no part of one`);
    return found;
  }

  private follow(
    hart: Hart,
    value: TypedValue,
    [, arrow, member, index]: RegExpExecArray,
  ): TypedValue | undefined {
    if (index !== undefined) return elementAt(value, Number(index), this.surroundings(hart));
    const parts = this.parts(hart, value);
    const whole = arrow === '->' ? parts.flatMap((target) => this.parts(hart, target)) : parts;
    return whole.find((part) => part.name === member);
  }

  show(hart: Hart, value: TypedValue): string {
    return showValue(value, this.surroundings(hart));
  }

  parts(hart: Hart, value: TypedValue): TypedValue[] {
    return partsOf(value, this.surroundings(hart));
  }

  private variable(hart: Hart, frame: number, name: string): TypedValue | undefined {
    const local = this.of(hart, frame).find((value) => value.name === name);
    if (local) return local;
    const state = this.placeOf(hart, frame)?.state;
    if (state === undefined) return undefined;
    return (
      this.code.programOn(hart)?.variables.global(name, state) ??
      this.code.kernel.variables.global(name, state)
    );
  }

  /** Where a frame is, and what its registers were: those of its callees as far as they have saved them. */
  private placeOf(hart: Hart, frame: number): { address: number; state: Frame } | undefined {
    const unwinder = this.code.programOn(hart)?.unwinder;
    const innermost = (number: number): bigint => BigInt.asUintN(64, hart.x[number]);
    let registers: FrameRegisters | undefined = { pc: Number(hart.pc), register: innermost };
    for (let depth = 0; depth < frame && registers; depth++) {
      registers = unwinder?.caller(registers, (address) => this.word(hart, address));
    }
    const call = this.code.stack(hart)[frame];
    if (registers === undefined || call === undefined) return undefined;
    // Frames that are told by frame pointers may be others where a function has none.
    if (frame > 0 && call.address !== BigInt(registers.pc + 1)) return undefined;
    const { pc: address, register } = registers;
    const memory = (at: bigint, length: number) => readVirtual(this.machine, hart, at, length);
    return {
      address,
      state: { register, memory, callerStackPointer: unwinder?.callerStackPointer(registers) },
    };
  }

  private word(hart: Hart, address: bigint): bigint | undefined {
    const bytes = readVirtual(this.machine, hart, BigInt.asUintN(64, address), WORD_BYTES);
    return bytes.length < WORD_BYTES ? undefined : numberOf(bytes);
  }

  private surroundings(hart: Hart): Surroundings {
    return {
      memory: (address, length) => readVirtual(this.machine, hart, address, length),
      describe: (address) => this.code.describe(hart, address),
    };
  }
}
