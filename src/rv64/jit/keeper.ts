/** Chooses the translations of a machine that are to outlive it: see kept.ts. */
import type { KeptRegion, KeptRegions } from './kept.js';
import type { Translation } from './translations.js';

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
