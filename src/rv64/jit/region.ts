/**
 * The region that belongs to an entry: the instructions that can be reached from it by branches and direct jumps, cut into
 * basic blocks. They lie in one page, but for copies of small functions of other pages that are called from there.
 */
import type { SetProbe } from '../code-page.js';
import { compile, type Compiled } from '../decode-and-run.js';
import { lengthFromBits } from '../decode.js';
import { Finder } from './finder.js';
import type { Instruction, Callee, Legal, Range, Region } from './blocks.js';
import { Templates } from './templates.js';

const PAGE_BYTES = 4096;

/** What is known of the code in and around a page. */
export interface Surroundings {
  /** Instructions with probes are left to the interpreter, but for those probes that can be translated. */
  probeAt(slot: number): SetProbe | undefined;
  /** What is called is part of the region only where it is hot. */
  isHot(slot: number): boolean;
  /** What has been translated at a distance from the page, on another one. */
  calleeAt?(distance: number): Callee | undefined;
}

/**
 * The region that begins at a distance in a page; undefined where there is no instruction that can be translated.
 */
export function findRegion(
  page: DataView,
  entry: number,
  { probeAt, isHot, calleeAt = () => undefined }: Surroundings,
  templates = new Templates(),
): Region | undefined {
  const code = {
    at: (offset: number): Legal | undefined => (isInPage(offset) ? legalAt(page, offset) : undefined),
    probeAt: (offset: number): SetProbe | undefined => probeAt(offset >>> 1),
    isCalled: (offset: number): boolean => isInPage(offset) && isHot(offset >>> 1),
    calleeAt,
  };
  const shared = { templates, instructions: 0, used: 0, written: 0, usesMemory: false };
  const finder = new Finder(code, entry, shared);
  finder.explore();
  if (!finder.instructions.has(entry)) return undefined;
  finder.number(0);
  const { instructions, decoded } = finder;
  const hasProbes = [...decoded.keys()].some((offset) => code.probeAt(offset) !== undefined);
  return {
    blocks: finder.blocks(),
    decoded,
    ranges: rangesOf(instructions),
    hasProbes,
    registers: registersOf(shared.used),
    written: registersOf(shared.written),
    usesMemory: shared.usesMemory,
    counts: templates.counts,
  };
}

/** The registers that a number has bits for. There is nothing to keep of x0. */
function registersOf(bits: number): number[] {
  const registers: number[] = [];
  for (let register = 1; register < 32; register++) if ((bits >>> register) & 1) registers.push(register);
  return registers;
}

const isInPage = (offset: number): boolean => offset >= 0 && offset < PAGE_BYTES;

/** The legal instruction at an offset; undefined where there is none, or not all of it lies in the page. */
function legalAt(page: DataView, offset: number): Legal | undefined {
  const bits = bitsAt(page, offset);
  if (bits === undefined) return undefined;
  const compiled = compile(bits);
  return isLegal(compiled) ? compiled : undefined;
}

const isLegal = (compiled: Compiled): compiled is Legal => compiled.row !== undefined;

/** The bits of the instruction at an offset; undefined where not all of it lies in the page. */
function bitsAt(page: DataView, offset: number): number | undefined {
  const low = page.getUint16(offset, true);
  if (lengthFromBits(low) === 2) return low;
  return offset > PAGE_BYTES - 4 ? undefined : page.getInt32(offset, true);
}

function rangesOf(instructions: ReadonlyMap<number, Instruction>): readonly Range[] {
  const ranges: Range[] = [];
  for (const offset of [...instructions.keys()].sort((a, b) => a - b)) {
    const end = offset + instructions.get(offset)!.template.bytes;
    const last = ranges[ranges.length - 1];
    if (last !== undefined && offset <= last.end) last.end = Math.max(last.end, end);
    else ranges.push({ start: offset, end });
  }
  return ranges;
}
