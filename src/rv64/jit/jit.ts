/**
 * The translator: decides which code is hot, turns it into WebAssembly, and finds it again by its content when the
 * same code shows up on another page of RAM.
 */
import type { CodePage } from '../code-page.js';
import type { Hart } from '../hart.js';
import { rows } from '../isa/index.js';
import { HART_BYTES, Offset, RAM_START, type State } from '../state.js';
import type { Translator } from '../translator.js';
import { Trap } from '../trap.js';
import { EntryMaps } from './entry-maps.js';
import { findRegion, type Range, type Region } from './region.js';
import { buildSupport, Step, type Support } from './support.js';
import { encodeRegions } from './translate.js';

export interface JitOptions {
  /** How often execution jumps to a place before what begins there is translated: 1 to 127; 24 if not given. */
  readonly hotAfter?: number;
}

/** So many regions are translated together, which is cheaper, unless one gets twice as hot while it waits. */
const BATCH = 8;

const FUEL = Offset.fuel >>> 2;

interface Request {
  readonly page: CodePage;
  readonly slot: number;
}

/** What has been translated once. */
interface Translation {
  /** Index in the table. */
  readonly index: number;
  readonly region: Region;
  /** The bytes it was made from, range by range. */
  readonly bytes: readonly Uint8Array[];
}

export class Jit implements Translator {
  private readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
  private readonly support: Support;
  private readonly entryMaps: EntryMaps;
  private readonly cache = new Map<number, Translation[]>();
  private requests: Request[] = [];
  private readonly hot: number;

  constructor(
    private readonly state: State,
    harts: readonly Hart[],
    { hotAfter = 24 }: JitOptions = {},
  ) {
    this.hot = hotAfter;
    this.entryMaps = new EntryMaps(state);
    this.support = buildSupport(state.memory, this.table, this.entryMaps.tables, (hart, row, word) =>
      this.interpret(harts[hart / HART_BYTES], row, word),
    );
  }

  run(hart: number): void {
    this.support.enter(hart * HART_BYTES);
  }

  arrive(page: CodePage, slot: number): boolean {
    if (this.entryMaps.has(page, slot)) return true;
    const heat = page.heat[slot];
    if (heat === 255 || page.frame < 0) return false;
    page.heat[slot] = heat + 1;
    if (heat === 0 && this.reuse(page, slot)) return true;
    if (heat + 1 === this.hot) this.request(page, slot);
    else if (heat + 1 === 2 * this.hot) this.translateRequests();
    return this.entryMaps.has(page, slot);
  }

  forget(page: CodePage): void {
    this.entryMaps.release(page);
    this.requests = this.requests.filter((request) => request.page !== page);
  }

  /** Executes an instruction for translated code, as the hart's loop does. */
  private interpret(hart: Hart, row: number, word: number): Step {
    try {
      rows[row].run(hart, word);
    } catch (trap) {
      if (!(trap instanceof Trap)) throw trap;
      hart.trapNow(trap.cause, trap.value);
    }
    hart.x[0] = 0n;
    if (hart.words[FUEL] > 0) return Step.next;
    return hart.resume() ? Step.jump : Step.leave;
  }

  private request(page: CodePage, slot: number): void {
    this.requests.push({ page, slot });
    if (this.requests.length >= BATCH) this.translateRequests();
  }

  private translateRequests(): void {
    const found: (Request & { readonly region: Region })[] = [];
    for (const { page, slot } of this.requests) {
      if (this.reuse(page, slot)) continue;
      const region = findRegion(
        this.viewOf(page),
        2 * slot,
        (at) => page.hasProbe(at),
        (at) => this.isHot(page, at),
      );
      if (region) found.push({ page, slot, region });
    }
    this.requests = [];
    if (found.length === 0) return;
    const regions = found.map((item) => item.region);
    const first = this.table.grow(found.length);
    const slots = found.map((_, index) => first + index);
    const module = new WebAssembly.Module(encodeRegions(regions, slots, this.entryMaps.tables));
    const { memory } = this.state;
    const { step, mulh, mulhsu, mulhu } = this.support;
    new WebAssembly.Instance(module, { env: { memory, table: this.table, step, mulh, mulhsu, mulhu } });
    found.forEach(({ page, slot, region }, index) => {
      const translation = this.remember(page, slot, region, slots[index]);
      this.install(page, slot, translation);
    });
  }

  /** Whether execution comes to a slot often enough that it will be translated, if it is not yet. */
  private isHot(page: CodePage, slot: number): boolean {
    return page.heat[slot] * 2 >= this.hot || this.entryMaps.has(page, slot);
  }

  private remember(page: CodePage, slot: number, region: Region, index: number): Translation {
    const content = this.contentOf(page);
    const bytes = region.ranges.map(({ start, end }) => content.slice(start, end));
    const translation = { index, region, bytes };
    // A probe makes a region other than its bytes say.
    if (page.hasProbes) return translation;
    const key = this.keyOf(page, slot);
    const others = this.cache.get(key);
    if (others) others.push(translation);
    else this.cache.set(key, [translation]);
    return translation;
  }

  /** Finds what was translated from the same bytes at the same place in another page. */
  private reuse(page: CodePage, slot: number): boolean {
    if (page.hasProbes) return false;
    const content = this.contentOf(page);
    const translation = this.cache
      .get(this.keyOf(page, slot))
      ?.find(({ region, bytes }) => region.ranges.every((range, i) => isSame(content, range, bytes[i])));
    if (translation === undefined) return false;
    this.install(page, slot, translation);
    return true;
  }

  /** From now on execution that comes to the slot goes on in the translation. */
  private install(page: CodePage, slot: number, translation: Translation): void {
    // Stores to what is decoded are announced; so must be those to what is translated.
    for (const [offset, { run, word }] of translation.region.decoded) page.keep(offset >>> 1, run, word);
    this.entryMaps.set(page, slot, translation.index);
  }

  /** A number for the first bytes of an entry and its place. */
  private keyOf(page: CodePage, slot: number): number {
    const at = page.frame * 4096 + slot * 2;
    const bits = this.state.view.getUint32(RAM_START + at, true);
    return bits * 2048 + slot;
  }

  private contentOf(page: CodePage): Uint8Array {
    return this.state.ram.subarray(page.frame * 4096, page.frame * 4096 + 4096);
  }

  private viewOf(page: CodePage): DataView {
    return new DataView(this.state.memory.buffer, RAM_START + page.frame * 4096, 4096);
  }
}

function isSame(content: Uint8Array, { start }: Range, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    if (content[start + i] !== bytes[i]) return false;
  }
  return true;
}
