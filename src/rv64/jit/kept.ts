/**
 * Translations that outlive their machine. What code is translated to depends on its bytes and on the size of RAM, not on
 * the page that it lies in: the next machine that comes to the same code need not translate it again.
 */
import type { FunctionBody } from './module.js';
import type { Range } from './region.js';
import type { Translation } from './translations.js';

/** A translated region, as data that can be cloned and serialized. */
export interface KeptRegion {
  /** See Translation. */
  readonly key: number;
  readonly ranges: readonly Range[];
  readonly content: readonly Uint8Array[];
  readonly function: FunctionBody & { readonly code: Uint8Array };
}

/** Regions that were translated for a machine with so much RAM. */
export interface KeptRegions {
  readonly ramBytes: number;
  readonly regions: readonly KeptRegion[];
}

/** So many are kept at most: a boot and some commands need a hundred, and each takes time when it is not needed. */
const MOST = 300;

/** Which translations of a machine are to be kept. */
export class Keeper {
  private readonly candidates: { readonly region: KeptRegion; readonly translation: Translation }[] = [];
  private hasNews = false;

  constructor(private readonly ramBytes: number) {}

  /** Notes a translation that came from another machine. */
  noteAdopted(region: KeptRegion, translation: Translation): void {
    this.candidates.push({ region, translation });
  }

  /** Notes one that was made here. What depends on others' places in the table is not kept. */
  noteMade(translation: Translation, made: KeptRegion['function']): void {
    const { key, ranges, content, copied } = translation;
    if (key === undefined || copied.length > 0) return;
    this.candidates.push({ region: { key, ranges, content, function: made }, translation });
    this.hasNews = true;
  }

  /** What is to be kept now, first what was executed; undefined where that is nothing that did not come from elsewhere. */
  kept(): KeptRegions | undefined {
    if (!this.hasNews) return undefined;
    const regions = [true, false].flatMap((isUsed) =>
      this.candidates.filter(({ translation }) => translation.isUsed === isUsed),
    );
    return { ramBytes: this.ramBytes, regions: regions.slice(0, MOST).map(({ region }) => region) };
  }
}
