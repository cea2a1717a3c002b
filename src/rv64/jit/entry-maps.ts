/** Keeps the entry maps (see layout.ts), of which each belongs to at most one page. */
import type { CodePage } from '../code-page.js';
import { ENTRY_MAP_BYTES, MAX_ENTRY_MAPS, type State } from '../state.js';
import type { Tables } from './layout.js';

/** Where the tables lie that follow so many bytes of RAM. */
export function tablesOf(start: number, ramBytes: number): Tables {
  const maps = start + (ramBytes / 4096) * 4;
  return { mapOfFrame: start, maps, counters: maps + MAX_ENTRY_MAPS * ENTRY_MAP_BYTES };
}

export class EntryMaps {
  readonly tables: Tables;
  /** The page that each map belongs to; the first map stays empty. */
  private readonly holders: (CodePage | undefined)[] = [];
  private readonly free: number[] = [];
  private nextVictim = 1;

  constructor(private readonly state: State) {
    this.tables = tablesOf(state.translatorStart, state.ramBytes);
    for (let map = MAX_ENTRY_MAPS - 1; map > 0; map--) this.free.push(map);
  }

  /** Whether translated code begins at a slot of a page. */
  has(page: CodePage, slot: number): boolean {
    return page.entryMap !== 0 && this.state.words[this.wordOf(page.entryMap) + slot] !== 0;
  }

  /** Index in the table of what begins at a slot of a frame; 0 where no translated code does. */
  indexAt(frame: number, slot: number): number {
    const { words } = this.state;
    return words[this.wordOf(words[(this.tables.mapOfFrame >>> 2) + frame] / ENTRY_MAP_BYTES) + slot];
  }

  /** From now on execution that comes to a slot of the page goes on in a function of the table. */
  set(page: CodePage, slot: number, tableIndex: number): void {
    if (page.entryMap === 0) this.assign(page);
    this.state.words[this.wordOf(page.entryMap) + slot] = tableIndex;
  }

  /** Takes a page's map away. */
  release(page: CodePage): void {
    const map = page.entryMap;
    if (map === 0) return;
    const { words } = this.state;
    const word = this.wordOf(map);
    words.fill(0, word, word + ENTRY_MAP_BYTES / 4);
    words[(this.tables.mapOfFrame >>> 2) + page.frame] = 0;
    page.entryMap = 0;
    // What was translated can be found again, by its content.
    page.heat.fill(0);
    this.holders[map] = undefined;
    this.free.push(map);
  }

  /** Takes every page's map away. */
  releaseAll(): void {
    for (const page of this.holders) if (page) this.release(page);
  }

  private assign(page: CodePage): void {
    if (this.free.length === 0) this.release(this.victim());
    const map = this.free.pop()!;
    this.holders[map] = page;
    page.entryMap = map;
    this.state.words[(this.tables.mapOfFrame >>> 2) + page.frame] = map * ENTRY_MAP_BYTES;
  }

  private victim(): CodePage {
    const page = this.holders[this.nextVictim]!;
    this.nextVictim = (this.nextVictim % (MAX_ENTRY_MAPS - 1)) + 1;
    return page;
  }

  /** Index of a map's first word in the memory. */
  private wordOf(map: number): number {
    return (this.tables.maps + map * ENTRY_MAP_BYTES) >>> 2;
  }
}
