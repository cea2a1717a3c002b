/** What a launch configuration says: which machine boots, and how its session goes. */
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { BadInputError } from '../../machine/errors.js';
import { DEFAULT_HISTORY_BYTES } from '../boot.js';
import { historySize, memorySize, promptExpression } from '../options.js';

/** A text that is read as an option of `rvemu boot` is; its own words tell what is wrong with it. */
const asOption = <Value>(read: (text: string) => Value) =>
  z.union([z.string(), z.number()], { error: 'must be a text or a number' }).transform((given, context) => {
    try {
      return read(String(given));
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      context.addIssue({
        code: 'custom',
        message: `cannot be ${given}: ${error.message.replace(/\.$/, '')}`,
      });
      return z.NEVER;
    }
  });

const wholeNumber = (minimum: number, maximum: number) => {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
};

const text = z.string({ error: 'must be a text' });
const flag = z.boolean({ error: 'must be true or false' });
const texts = z.array(text, { error: 'must be a list of texts' });

/** Other names are the editor's affair. */
export const launchArguments = z.object({
  cwd: text.optional(),
  kernel: text.optional(),
  disk: text.optional(),
  ephemeral: flag.default(false),
  harts: wholeNumber(1, 8).default(3),
  memory: asOption(memorySize).default(128 * 1024 ** 2),
  virtio: z.enum(['auto', 'legacy', 'modern'], { error: 'must be auto, legacy or modern' }).default('auto'),
  seed: wholeNumber(0, 2 ** 32 - 1).default(0),
  run: texts.default([]),
  prompt: asOption(promptExpression).default(/^\$ /),
  userSymbols: texts.default([]),
  history: asOption(historySize).default(DEFAULT_HISTORY_BYTES),
  stopOnEntry: flag.default(false),
});

export type LaunchArguments = z.output<typeof launchArguments>;

/** Throws BadInputError, in one sentence, for arguments that cannot be used. */
export function readLaunchArguments(given: unknown): LaunchArguments {
  const result = launchArguments.safeParse(given ?? {});
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new BadInputError(`the launch configuration cannot be used: "${String(path[0])}" ${message}`);
}
