/**
 * Translations that outlive their machine. What code is translated to depends on its bytes and on the size of RAM, not on
 * the page that it lies in: the next machine that comes to the same code need not translate it again.
 */
import type { FunctionBody } from './module.js';
import type { Range } from './blocks.js';

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
