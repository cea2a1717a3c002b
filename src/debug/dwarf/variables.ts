/** The variables of a program, by where they can be seen, and their values in a frame. */
import type { ElfSection } from '../../machine/elf-sections.js';
import { ATTRIBUTE, TAG } from './constants.js';
import { type Entry, readEntries } from './entries.js';
import { type FrameState, locate } from './expression.js';
import { Lists } from './lists.js';
import type { TypedValue } from './typed-value.js';
import { sizeOf } from './types.js';

/** A frame, but for what only its function says of it. */
export type Frame = Omit<FrameState, 'frameBase'>;

/** What a variable of one register, or a constant, can be as long as. */
const MOST_BYTES = 1 << 20;

export class Variables {
  private readonly top: readonly Entry[];
  private readonly lists: Lists;

  constructor(sections: readonly ElfSection[]) {
    this.top = readEntries(sections);
    this.lists = new Lists(sections);
  }

  /** Parameters and variables that can be seen at an address, innermost blocks first. Of two of a name the inner one is listed. */
  at(address: number, frame: Frame): TypedValue[] {
    const scopes = this.scopesAt(address);
    const state: FrameState = { ...frame, frameBase: () => this.frameBase(scopes.at(-1), address, frame) };
    const values = new Map<string, TypedValue>();
    for (const { children } of scopes) {
      for (const entry of children) {
        const isVariable = entry.tag === TAG.formalParameter || entry.tag === TAG.variable;
        if (!isVariable || entry.name === undefined || values.has(entry.name)) continue;
        if (entry.value(ATTRIBUTE.declaration) !== undefined) continue;
        values.set(entry.name, this.valueOf(entry, address, state));
      }
    }
    return [...values.values()];
  }

  /** The variable outside of all functions that has this name. */
  global(name: string, frame: Frame): TypedValue | undefined {
    const entry = this.top.find(
      (each) =>
        each.tag === TAG.variable && each.name === name && each.value(ATTRIBUTE.location) !== undefined,
    );
    return entry && this.valueOf(entry, 0, { ...frame, frameBase: () => undefined });
  }

  /** The function at an address, and the blocks and inlined functions in it, innermost first. */
  private scopesAt(address: number): Entry[] {
    const scopes: Entry[] = [];
    const enter = (entries: readonly Entry[], tags: readonly number[]): void => {
      const scope = entries.find((each) => tags.includes(each.tag) && this.covers(each, address));
      if (scope === undefined) return;
      scopes.unshift(scope);
      enter(scope.children, [TAG.lexicalBlock, TAG.inlinedSubroutine]);
    };
    enter(this.top, [TAG.subprogram]);
    return scopes;
  }

  private covers(entry: Entry, address: number): boolean {
    try {
      return this.lists.covers(entry, address);
    } catch (error) {
      if (error instanceof RangeError) return false; // a list that cannot be read
      throw error;
    }
  }

  private frameBase(functionEntry: Entry | undefined, address: number, frame: Frame): bigint | undefined {
    const expression = functionEntry && this.lists.expression(functionEntry, ATTRIBUTE.frameBase, address);
    const found = expression && locate(expression, { ...frame, frameBase: () => undefined });
    if (found === undefined) return undefined;
    // A register here means what is in it.
    return 'address' in found
      ? found.address
      : new DataView(found.bytes.slice().buffer).getBigUint64(0, true);
  }

  private valueOf(entry: Entry, address: number, state: FrameState): TypedValue {
    const type = entry.entry(ATTRIBUTE.type);
    const known = { name: entry.name ?? '', type };
    const size = Math.min(sizeOf(type), MOST_BYTES);
    const constant = entry.value(ATTRIBUTE.constantValue);
    if (constant instanceof Uint8Array) return { ...known, bytes: constant };
    if (typeof constant === 'number') return { ...known, bytes: bytesOf(constant) };
    const found = this.locationOf(entry, address, state);
    if (found === undefined) return { ...known, bytes: undefined };
    if ('bytes' in found) return { ...known, ...found };
    return { ...known, bytes: state.memory(found.address, size), address: found.address };
  }

  private locationOf(entry: Entry, address: number, state: FrameState): ReturnType<typeof locate> {
    try {
      const expression = this.lists.expression(entry, ATTRIBUTE.location, address);
      return expression && locate(expression, state);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }
}

function bytesOf(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return bytes;
}
