/** The rules of the checker: what each means, how it comes to be broken, and where to look. `rvemu explain` prints them. */
import { BLOCK_RULES } from './rules/blocks.js';
import { FENCE_RULES } from './rules/fences.js';
import { FRAME_RULES } from './rules/frames.js';
import { LOCK_RULES } from './rules/locks.js';
import { REGION_RULES } from './rules/regions.js';
import { TABLE_RULES } from './rules/tables.js';

export type { Rule, Severity } from './rules/rule.js';

export const RULES = {
  ...FRAME_RULES,
  ...TABLE_RULES,
  ...LOCK_RULES,
  ...BLOCK_RULES,
  ...REGION_RULES,
  ...FENCE_RULES,
} as const;

export type RuleId = keyof typeof RULES;

export const isRule = (name: string): name is RuleId => Object.hasOwn(RULES, name);
