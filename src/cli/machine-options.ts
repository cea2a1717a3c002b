/** The options that say which machine boots, which several commands share. */
import { type Command, Option } from 'commander';
import {
  codeBudget,
  DEFAULT_PROMPT,
  hartCount,
  memorySize,
  promptExpression,
  seconds,
  seedValue,
} from './options.js';

/** Adds them to a command. */
export const machineOptions = (command: Command): Command =>
  command
    .option('--disk <file>', 'the disk image')
    .option('--smp <harts>', 'how many harts, 1 to 8', hartCount, 3)
    .addOption(
      new Option('--memory <size>', 'RAM, such as 256M or 1G')
        .argParser(memorySize)
        .default(128 * 1024 ** 2, '128M'),
    )
    .addOption(
      new Option('--virtio <version>', "the disk's register layout; auto finds out what the kernel wants")
        .choices(['auto', 'legacy', 'modern'])
        .default('auto'),
    )
    .option('--seed <number>', 'choose another order of the harts: 0 to 4294967295', seedValue)
    .addOption(
      new Option(
        '--prompt <regex>',
        'what the guest prints when it waits for a command, as the end of a line',
      )
        .argParser(promptExpression)
        .default(new RegExp(DEFAULT_PROMPT), DEFAULT_PROMPT),
    )
    .option('--timeout <seconds>', 'give up after so long; with --run or --expect 3600 unless given', seconds)
    .option('--no-jit', 'interpret everything: slower, and otherwise the same')
    .addOption(
      new Option('--code-budget <size>', "how much of the host's memory translated code may take")
        .argParser(codeBudget)
        .default(256 * 1024 ** 2, '256M'),
    );
