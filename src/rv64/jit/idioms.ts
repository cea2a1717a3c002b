/**
 * Loops that fill or copy memory, as memset and memmove are written, done many rounds at a time.
 *
 * The loop is one block that branches to its own beginning with bne: a store, before it perhaps a load of what it
 * stores, or several stores of one value side by side, and registers that a constant is added to. The code made here
 * stands at its head. It does all rounds but the last that the fuel and the pages' ends allow, or none where the TLB does
 * not know the pages, the bytes of the value differ, or the ranges overlap so that a copy in order would repeat itself;
 * the ordinary code of the loop does the rest. Afterwards everything is as if each round had been executed.
 */
import type { Compiled } from '../decode-and-run.js';
import { immI, immS, rd, rs1, rs2 } from '../fields.js';
import { ADDEND_OFFSET, count, Local, tlbEntry } from './layout.js';
import { getRegister, setRegister } from './marks.js';
import { importIndex } from './support.js';
import {
  access,
  block,
  branchIf,
  call,
  type Code,
  flat,
  getLocal,
  i32Const,
  i64Const,
  ifThenElse,
  Memory,
  memoryCopy,
  memoryFill,
  Op,
  setLocal,
  teeLocal,
} from './wasm.js';

/** Fewer rounds are not worth the preparation. */
const WORTHWHILE = 8;
/** No page has more rounds. */
const MOST = 4096;

const STORES: Readonly<Record<string, number>> = { sb: 1, sh: 2, sw: 4, sd: 8 };
const LOADS: Readonly<Record<string, { bytes: number; op: number }>> = {
  lb: { bytes: 1, op: Memory.i64Load8S },
  lbu: { bytes: 1, op: Memory.i64Load8U },
  lh: { bytes: 2, op: Memory.i64Load16S },
  lhu: { bytes: 2, op: Memory.i64Load16U },
  lw: { bytes: 4, op: Memory.i64Load32S },
  lwu: { bytes: 4, op: Memory.i64Load32U },
  ld: { bytes: 8, op: Memory.i64Load },
};

const READ_TAG = 0;
const WRITE_TAG = 8;

/** An access of a round: register, and what is to be added to it at the round's beginning. */
interface Place {
  readonly base: number;
  readonly offset: number;
}

interface Store extends Place {
  readonly unit: number;
  /** The register that is stored. */
  readonly value: number;
}

interface Loop {
  /** Instructions in a round. */
  readonly length: number;
  /** What a round adds to registers. */
  readonly steps: ReadonlyMap<number, number>;
  /** Bytes that a round stores, and bytes of one store. */
  readonly bytes: number;
  readonly unit: number;
  readonly to: Place;
  /** The register that is stored. */
  readonly value: number;
  readonly from: (Place & { readonly op: number }) | undefined;
  /** The register that counts, and the one whose value it stops at. */
  readonly counter: number;
  readonly end: number;
}

/** The code for the head of a loop with these instructions, with marks, or undefined where it is no fill or copy. */
export function idiomFor(body: readonly Compiled[], counts: boolean): readonly number[] | undefined {
  const loop = recognize(body);
  return loop && flat(encode(loop, counts));
}

function recognize(body: readonly Compiled[]): Loop | undefined {
  const steps = new Map<number, number>();
  const offsetOf = (base: number, offset: number): number => offset + (steps.get(base) ?? 0);
  const stores: Store[] = [];
  let from: (Place & { bytes: number; op: number; register: number }) | undefined;
  for (const { row, word } of body.slice(0, -1)) {
    const name = row?.name ?? '';
    if (name === 'addi' && rd(word) === rs1(word) && rd(word) !== 0 && !steps.has(rd(word))) {
      steps.set(rd(word), immI(word));
    } else if (name in STORES) {
      const place = { base: rs1(word), offset: offsetOf(rs1(word), immS(word)) };
      stores.push({ ...place, unit: STORES[name], value: rs2(word) });
    } else if (name in LOADS && from === undefined && stores.length === 0 && rd(word) !== 0) {
      const place = { base: rs1(word), offset: offsetOf(rs1(word), immI(word)) };
      from = { ...place, ...LOADS[name], register: rd(word) };
    } else return undefined;
  }
  const last = body[body.length - 1];
  const to = together(stores);
  if (last.row?.name !== 'bne' || to === undefined) return undefined;
  const [counter, end] = steps.has(rs1(last.word))
    ? [rs1(last.word), rs2(last.word)]
    : [rs2(last.word), rs1(last.word)];
  const step = steps.get(counter) ?? 0;
  const isConstant = (register: number): boolean => !steps.has(register) && register !== from?.register;
  const advances = (base: number): boolean => steps.get(base) === to.bytes && base !== from?.register;
  const isPowerOfTwo = step > 0 && (step & (step - 1)) === 0;
  if (!isPowerOfTwo || !isConstant(end) || !advances(to.base) || counter === from?.register) return undefined;
  if (from) {
    if (from.register !== to.value || from.bytes !== to.bytes || !advances(from.base)) return undefined;
    if (steps.has(from.register)) return undefined;
  } else if (!isConstant(to.value)) return undefined;
  const { bytes, unit, value } = to;
  return { length: body.length, steps, bytes, unit, to, value, from, counter, end };
}

/** Stores of one value side by side, in any order, as one of so many bytes. */
function together(stores: readonly Store[]): (Store & { bytes: number }) | undefined {
  const inOrder = [...stores].sort((a, b) => a.offset - b.offset);
  const [first] = inOrder;
  const isNext = ({ base, offset, unit, value }: Store, index: number): boolean =>
    base === first.base &&
    value === first.value &&
    unit === first.unit &&
    offset === first.offset + index * unit;
  return first && inOrder.every(isNext) ? { ...first, bytes: stores.length * first.unit } : undefined;
}

function encode(loop: Loop, counts: boolean): Code {
  const { length, steps, bytes, unit, to, from, value, counter, end } = loop;
  const x = getRegister;
  const rounds = getLocal(Local.rounds);
  const size: Code = [rounds, i32Const(bytes), Op.i32.mul];
  const skip = branchIf(0);
  const set = (register: number, code: Code): Code => [code, setRegister(register)];
  /** Lowers the number of rounds to a number, signed, that `code` leaves. */
  const atMost = (code: Code): Code => [
    [code, teeLocal(Local.entry), rounds],
    [getLocal(Local.entry), rounds, Op.i32.ltS, Op.select, setLocal(Local.rounds)],
  ];
  const skipUnlessWorthwhile: Code = [rounds, i32Const(WORTHWHILE), Op.i32.ltS, skip];
  /** Puts the address of a place in `address`, and keeps the rounds within its page. */
  const address = ({ base, offset }: Place): Code => [
    [x(base), i64Const(offset), Op.i64.add, setLocal(Local.address)],
    atMost([
      [i32Const(4096), getLocal(Local.address), Op.wrap, i32Const(4095), Op.i32.and, Op.i32.sub],
      [i32Const(bytes), Op.i32.divU],
    ]),
  ];
  /** Whether the TLB does not know `address`; its entry is in `entry`. */
  const isMiss = (tag: number): Code => [
    [tlbEntry(getLocal(Local.tlb), getLocal(Local.address)), teeLocal(Local.entry)],
    access(Memory.i64Load, tag),
    [getLocal(Local.address), i64Const(-4096), Op.i64.and, Op.i64.ne],
  ];
  /** Where `address` is in the memory, by its entry. */
  const host: Code = [
    [getLocal(Local.address), Op.wrap],
    [getLocal(Local.entry), access(Memory.i32Load, ADDEND_OFFSET), Op.i32.add],
  ];
  const locate = (place: Place, tag: number, local: number): Code => [
    [address(place), isMiss(tag), skip, host, setLocal(local)],
  ];
  /** A copy; `value` becomes what was copied last. */
  const copy = (source: Place & { readonly op: number }): Code => [
    locate(to, WRITE_TAG, Local.destination),
    locate(source, READ_TAG, Local.source),
    skipUnlessWorthwhile,
    // Where the destination begins inside the source, a copy in order repeats what it has just written.
    [getLocal(Local.destination), getLocal(Local.source), Op.i32.sub, size, Op.i32.ltU, skip],
    [getLocal(Local.destination), getLocal(Local.source), size, memoryCopy],
    set(value, [
      [getLocal(Local.destination), size, Op.i32.add, i32Const(bytes), Op.i32.sub],
      access(source.op),
    ]),
  ];
  const callFill: Code = [
    [getLocal(Local.hart), getLocal(Local.address), Op.wrap],
    [getLocal(Local.address), i64Const(32), Op.i64.shrU, Op.wrap],
    [size, x(value), Op.wrap, call(importIndex('fill'))],
  ];
  const fill: Code = [
    [address(to), skipUnlessWorthwhile, isMiss(WRITE_TAG)],
    ifThenElse([callFill, Op.i32.eqz, branchIf(1)], [host, x(value), Op.wrap, size, memoryFill]),
  ];
  const distance: Code = [x(end), x(counter), Op.i64.sub];
  const step = steps.get(counter)!;
  const roundsLeft: Code = [getLocal(Local.scratch), i64Const(Math.log2(step)), Op.i64.shrU];
  const unused = i64Const(64 - 8 * unit);
  const repeated: Code = [
    x(value),
    i64Const(0xffn),
    Op.i64.and,
    i64Const(0x0101_0101_0101_0101n),
    Op.i64.mul,
  ];
  /** Several bytes at a time are a fill only where they are all alike. */
  const skipUnlessAlike: Code = [
    [x(value), unused, Op.i64.shl, repeated, unused, Op.i64.shl],
    [Op.i64.ne, skip],
  ];
  return block([
    from || unit === 1 || value === 0 ? [] : skipUnlessAlike,
    [distance, setLocal(Local.scratch)],
    [getLocal(Local.scratch), i64Const(step - 1), Op.i64.and, Op.i64.eqz, Op.i32.eqz, skip],
    [roundsLeft, i64Const(MOST), roundsLeft, i64Const(MOST), Op.i64.ltU, Op.select],
    [Op.wrap, i32Const(1), Op.i32.sub, setLocal(Local.rounds)],
    atMost([getLocal(Local.fuel), i32Const(length), Op.i32.divS, i32Const(1), Op.i32.sub]),
    skipUnlessWorthwhile,
    from ? copy(from) : fill,
    ...[...steps].flatMap(([register, amount]) =>
      set(register, [[x(register), rounds, Op.extendU, i64Const(amount), Op.i64.mul, Op.i64.add]]),
    ),
    [getLocal(Local.fuel), rounds, i32Const(length), Op.i32.mul, Op.i32.sub, setLocal(Local.fuel)],
    counts
      ? [
          count(Local.idioms, i32Const(1)),
          count(Local.idiomInstructions, [rounds, i32Const(length), Op.i32.mul]),
        ]
      : [],
  ]);
}
