/** Conditions of breakpoints: a comparison such as `count > 3` or `p->pid == a0`, or an expression that is not 0. */
import type { Hart } from '../../rv64/hart.js';
import { integerOf } from '../dwarf/typed-value.js';
import type { Locals } from './locals.js';
import type { Values } from './values.js';

const COMPARISON = /^(.+?)\s*(==|!=|<=|>=|<|(?<!-)>)\s*(.+)$/;

const HOLDS: Readonly<Record<string, (left: bigint, right: bigint) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

/** Whether a hart is to be halted where it is. One that cannot be told counts, for the user to see why. */
export function conditionOf(text: string, locals: Locals, values: Values): (hart: Hart) => boolean {
  const [, left, operator, right] = COMPARISON.exec(text.trim()) ?? [];
  const valueOf = (hart: Hart, expression: string): bigint => {
    const variable = locals.named(hart, 0, expression);
    const value = variable ? integerOf(variable) : values.evaluate(hart, expression);
    if (value === undefined) throw new RangeError(`"${expression}" is no number, or nobody knows it`);
    return BigInt.asIntN(64, value);
  };
  return (hart) => {
    try {
      if (operator === undefined) return valueOf(hart, text) !== 0n;
      return HOLDS[operator](valueOf(hart, left), valueOf(hart, right));
    } catch (error) {
      if (error instanceof RangeError) return true;
      throw error;
    }
  };
}
