/**
 * The translator: decides which code is hot, turns it into WebAssembly, and finds it again by its content when the
 * same code shows up on another page of RAM.
 */
import { Tag } from '../../sv39/tlb.js';
import type { CodePage } from '../code-page.js';
import type { Hart } from '../hart.js';
import { rows } from '../isa/index.js';
import { HART_BYTES, Offset, RAM_START, type State } from '../state.js';
import type { Translator } from '../translator.js';
import { Trap } from '../trap.js';
import type { Callee, Region } from './blocks.js';
import { EntryMaps } from './entry-maps.js';
import type { Validate } from './host-support.js';
import { Keeper } from './keeper.js';
import type { KeptRegions } from './kept.js';
import { unpackMiss } from './layout.js';
import { type JitStatistics, Meter } from './meter.js';
import type { FunctionBody } from './module.js';
import { findRegion } from './region.js';
import { buildSupport, Step, type Support } from './support.js';
import { Templates } from './templates.js';
import { RegionEncoder } from './translate.js';
import { type Translation, Translations } from './translations.js';

export interface JitOptions {
  /** How often execution jumps to a place before what begins there is translated: 1 to 127; 120 if not given. */
  readonly hotAfter?: number;
  /**
   * So many regions are translated without what they call. Then all are made anew as they get hot again, and with it: that
   * takes twice as long, and a boot is over before it pays. 150 if not given.
   */
  readonly plainFirst?: number;
  /** Bytes of the host's memory that translated code may take, roughly; 256 MiB if not given. */
  readonly budgetBytes?: number;
  /** A clock of the host's, in milliseconds. Where it is given, translated code is measured, and runs slower for it. */
  readonly now?: () => number;
  /** What another machine kept (Machine.keptCode), which is then not translated again; not for one that is measured. */
  readonly kept?: KeptRegions;
  /** How a module is found valid by the host; `WebAssembly.validate` if not given. */
  readonly validate?: Validate;
}

const DEFAULT_BUDGET_BYTES = 256 * 1024 * 1024;

/** So many regions are translated together, which is cheaper, unless one gets twice as hot while it waits. */
const BATCH = 16;

/**
 * What a byte of a module takes of the host's memory, compiled twice, with what it was made from: the resident memory of
 * a machine with 557 translations was 59 times their modules larger than that of one without.
 */
const HOST_BYTES = 60;

/** The same from so many cycles on, if there are fewer regions: a boot is over by then, though to fill 128 MiB takes 400 million. */
const PLAIN_CYCLES = 500_000_000;

const FUEL = Offset.fuel >>> 2;
const FETCH_TLB = Offset.fetchTlb >>> 2;

interface Request {
  readonly page: CodePage;
  readonly slot: number;
  /** Virtual address of the page, and the TLB context that knows it by that. */
  readonly base: bigint;
  readonly context: number;
}

interface Found extends Request {
  readonly region: Region;
  readonly index: number;
}

export class Jit implements Translator {
  private support: Support;
  private readonly entryMaps: EntryMaps;
  private readonly translations: Translations;
  private requests: Request[] = [];
  private readonly hot: number;
  /** Regions that are still to be translated without what they call. */
  private plainLeft: number;
  private readonly meter: Meter | undefined;
  private readonly templates: Templates;
  private readonly encoder: RegionEncoder;
  private readonly keeper: Keeper | undefined;
  private instructions = 0;
  private byRow = 0;
  private translated = 0;
  private reused = 0;

  constructor(
    private readonly state: State,
    private readonly harts: readonly Hart[],
    { hotAfter = 120, plainFirst = 150, budgetBytes = DEFAULT_BUDGET_BYTES, now, kept }: JitOptions = {},
  ) {
    this.hot = hotAfter;
    this.plainLeft = plainFirst;
    this.entryMaps = new EntryMaps(state);
    this.meter = now && new Meter(state.view, this.entryMaps.tables, now);
    this.encoder = new RegionEncoder(this.entryMaps.tables);
    this.templates = new Templates(now !== undefined);
    this.translations = new Translations(state, budgetBytes, () => this.entryMaps.releaseAll());
    this.support = this.buildSupport();
    this.keeper = now ? undefined : new Keeper(state.ramBytes);
    if (kept && !now && plainFirst > 0) this.adopt(kept);
    harts[0].frames.firstFills.isFullOf = (...range) => this.support.isFullOf(...range) !== 0;
  }

  private buildSupport(): Support {
    const { state, harts } = this;
    return buildSupport(state.memory, this.translations.functions, this.entryMaps.tables, {
      interpret: (hart, row, word) => this.interpret(harts[hart / HART_BYTES], row, word),
      refill: (hart, low, high, miss) => {
        const { access, bytes } = unpackMiss(miss);
        return harts[hart / HART_BYTES].refill(low, high, access, bytes) ? 1 : 0;
      },
      fill: (hart, low, high, bytes, value) =>
        harts[hart / HART_BYTES].fillQuickly(low, high, bytes, value & 0xff) ? 1 : 0,
    });
  }

  run(hart: number): void {
    if (this.plainLeft > 0 && this.harts[hart].cycles > PLAIN_CYCLES) this.endPlain();
    const before = this.harts[hart].steps;
    const done = this.meter?.begin('running');
    this.support.enter(hart * HART_BYTES);
    done?.();
    this.instructions += this.harts[hart].steps - before;
  }

  has(page: CodePage, slot: number): boolean {
    return this.entryMaps.has(page, slot);
  }

  arrive(page: CodePage, slot: number, hart: Hart): boolean {
    if (this.entryMaps.has(page, slot)) return true;
    const isFirst = page.heat[slot] === 0;
    if (page.heat[slot] === 255 || page.frame < 0) return false;
    if (isFirst && this.reuse(page, slot)) return true;
    // What many processes do, but each only once, gets as hot as what one does often.
    const seen = isFirst
      ? Math.min(this.translations.noteUnknown(page, slot), this.hot - 1)
      : page.heat[slot];
    const heat = seen + 1;
    page.heat[slot] = heat;
    if (heat === this.hot) this.request(page, slot, hart);
    // The page of a process may be gone before there is another request.
    if (heat === 2 * this.hot || (heat === this.hot && isFirst)) this.translateRequests();
    return this.entryMaps.has(page, slot);
  }

  forget(page: CodePage): void {
    this.entryMaps.release(page);
    this.requests = this.requests.filter((request) => request.page !== page);
  }

  statistics(): JitStatistics {
    const { instructions, byRow, translated, reused } = this;
    const { dropped, used: bytes, budget: budgetBytes, functions } = this.translations;
    const [tableSlots, measured] = [functions.length, this.meter?.measured()];
    return { instructions, byRow, translated, reused, dropped, bytes, budgetBytes, tableSlots, measured };
  }

  /** Executes an instruction for translated code, as the hart's loop does. */
  private interpret(hart: Hart, row: number, word: number): Step {
    this.byRow++;
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

  private request(page: CodePage, slot: number, hart: Hart): void {
    this.requests.push({ page, slot, base: hart.pc & ~0xfffn, context: hart.words[FETCH_TLB] });
    if (this.requests.length >= BATCH) this.translateRequests();
  }

  private translateRequests(): void {
    const done = this.meter?.begin('translating');
    this.translateAll();
    done?.();
  }

  private translateAll(): void {
    this.translations.trim();
    if (this.translations.isWorn) {
      this.translations.renew();
      this.support = this.buildSupport();
    }
    // What is called is hotter than what calls it, and is to be known by then.
    const requests = this.requests.sort((a, b) => b.page.heat[b.slot] - a.page.heat[a.slot]);
    this.requests = [];
    const indices = this.translations.claimSlots(requests.length);
    const found: Found[] = [];
    for (const request of requests) {
      if (this.reuse(request.page, request.slot)) continue;
      const region = this.find(request, found);
      if (region) found.push({ ...request, region, index: indices.pop()! });
    }
    this.translations.returnSlots(indices);
    if (found.length === 0) return;
    this.translate(found);
    this.notePlain(found.length);
  }

  private notePlain(count: number): void {
    if (this.plainLeft <= 0) return;
    if (this.plainLeft > count) this.plainLeft -= count;
    else this.endPlain();
  }

  /** From now on regions are translated with what they call, and those that were not are made anew. */
  private endPlain(): void {
    this.plainLeft = 0;
    this.translations.clear();
  }

  private find(request: Request, foundBefore: readonly Found[]): Region | undefined {
    const { page, slot } = request;
    return findRegion(
      this.viewOf(page),
      2 * slot,
      {
        probeAt: (at) => page.probeAt(at),
        ...(this.plainLeft > 0
          ? { isHot: () => false }
          : {
              isHot: (at) => this.isHot(page, at),
              calleeAt: (distance) => this.calleeAt(request, distance, foundBefore),
            }),
      },
      this.templates,
    );
  }

  /** What has been translated, or is about to be, at a distance from a page. */
  private calleeAt(
    { base, context }: Request,
    distance: number,
    found: readonly Found[],
  ): Callee | undefined {
    const frame = this.harts[0].frames.tlb.frameAt(context, base + BigInt(distance), Tag.fetch);
    if (frame === undefined) return undefined;
    const slot = (distance & 0xfff) >>> 1;
    const index = this.entryMaps.indexAt(frame, slot);
    if (index !== 0) return this.translations.at(index);
    const one = found.find((item) => item.page.frame === frame && item.slot === slot);
    return one && { index: one.index, ...one.region };
  }

  private translate(found: readonly Found[]): void {
    const functions = found.map(({ region }) => this.encoder.function(region));
    const indices = found.map(({ index }) => index);
    const share = this.instantiate(functions, indices);
    found.forEach(({ page, slot, region, index }, i) => {
      const translation = this.translations.add(page, slot, region, index, share);
      this.install(page, slot, translation);
      if (this.plainLeft > 0) this.keeper?.noteMade(translation, functions[i]);
    });
    this.translated += found.length;
  }

  /** Puts functions into these slots of the table. Returns the bytes of the budget that each takes. */
  private instantiate(functions: readonly FunctionBody[], slots: readonly number[]): number {
    const bytes = this.encoder.module(functions, slots);
    const { memory } = this.state;
    const { functions: table } = this.translations;
    const { step, mulh, mulhsu, mulhu, refill, fill } = this.support;
    new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory, table, step, mulh, mulhsu, mulhu, refill, fill },
    });
    return (bytes.length * HOST_BYTES) / functions.length;
  }

  /** Takes over what another machine with as much RAM has translated, as far as half of the budget goes. */
  private adopt({ ramBytes, regions: all }: KeptRegions): void {
    let room = this.translations.budget / 2;
    const regions = all.filter((region) => (room -= region.function.code.length * HOST_BYTES) >= 0);
    if (ramBytes !== this.state.ramBytes || regions.length === 0) return;
    const functions = regions.map((region) => region.function);
    const indices = this.translations.claimSlots(regions.length);
    const share = this.instantiate(functions, indices);
    regions.forEach((region, i) => {
      this.keeper?.noteAdopted(region, this.translations.adopt(region, indices[i], share));
    });
  }

  /** What another machine need not translate again; undefined where that is nothing new. */
  kept(): KeptRegions | undefined {
    return this.keeper?.kept();
  }

  /** Whether execution comes to a slot often enough that it will be translated, if it is not yet. */
  private isHot(page: CodePage, slot: number): boolean {
    return page.heat[slot] * 2 >= this.hot || this.entryMaps.has(page, slot);
  }

  /** Installs what was translated from the same bytes at the same place in another page. */
  private reuse(page: CodePage, slot: number): boolean {
    const translation = this.translations.find(page, slot);
    if (translation === undefined) return false;
    this.install(page, slot, translation);
    this.reused++;
    return true;
  }

  /** From now on execution that comes to the slot goes on in the translation. */
  private install(page: CodePage, slot: number, translation: Translation): void {
    for (const { start, end } of translation.ranges) page.noteUse(start, end);
    this.entryMaps.set(page, slot, translation.index);
  }

  private viewOf(page: CodePage): DataView {
    return new DataView(this.state.memory.buffer, RAM_START + page.frame * 4096, 4096);
  }
}
