/** The command `rvemu pagetable` as the command line knows it: what it does is in pagetable.ts, loaded when it runs. */
import { type Command, Option } from 'commander';
import { machineOptions } from './machine-options.js';
import { oneMore } from './options.js';

const PAGETABLE_HELP = `
A dump is canonical: like pages are one row, devices and the kernel's parts go
by their names, and frames are numbered in the order in which the table uses
them. So kernels that map the same have the same dump, whatever their size.

Examples:
  rvemu pagetable dump                       the kernel's, at the first prompt
  rvemu pagetable dump --at scheduler        as it is when scheduler is reached
  rvemu pagetable dump --process sh --format svg --output sh.svg
  rvemu pagetable diff model                 this tree's kernel against the model
  rvemu pagetable diff expected.json kernel/kernel`;

const PAGETABLE_DUMP_HELP = `
Which table, and when:
  The kernel's at the first prompt; with --after, at the prompt after the last
  command; with --at, the one in force when the function is reached first.
  --process chooses a user table instead: when the process first runs, or with
  --after or --at as it is then, or was when the process ended. What the guest
  writes to its disk is thrown away.

Examples:
  rvemu pagetable dump --at panic --after usertests
  rvemu pagetable dump --after mmaptest --process mmaptest
  rvemu pagetable dump kernel/kernel --format json --output expected.json`;

const PAGETABLE_DIFF_HELP = `
Each of the two is a kernel, which is run; a file that "rvemu pagetable dump
--format json" wrote; or the word model: the kernel's table as the model makes
it for the other one. Without a second, it is the kernel that "rvemu boot" takes.
Frames are alike wherever they lie, and where text and data end is no
difference, only how each is mapped.

Exit codes:
  0      they map the same
  1      they differ
  2      bad usage, or a file that cannot be used
  N      what the kernel's run ended with before the table could be read

Examples:
  rvemu pagetable diff model
  rvemu pagetable diff expected.json kernel/kernel
  rvemu pagetable diff before.json after.json --format svg --output diff.svg`;

/** What says which table is meant, and how to show it. */
const tableCommand = (command: Command): Command =>
  machineOptions(command)
    .option('--at <symbol>', 'when this function of the kernel is reached for the first time')
    .option('--after <command>', 'type this at the prompt first; may be given many times', oneMore)
    .option('--process <name>', 'the table of the process of this name')
    .addOption(
      new Option('--format <format>', 'how to show it').choices(['text', 'json', 'svg']).default('text'),
    )
    .option('--output <file>', 'write it here');

export function addPageTableCommand(program: Command): void {
  const pagetable = program
    .command('pagetable')
    .description('print the page tables of a kernel, or what differs between two')
    .addHelpText('after', PAGETABLE_HELP);

  tableCommand(pagetable.command('dump').argument('[kernel]', 'an ELF file for RV64'))
    .description('print a page table in canonical form')
    .addHelpText('after', PAGETABLE_DUMP_HELP)
    .action(async (kernel: string | undefined, options) => {
      const { dumpPageTable } = await import('./pagetable.js');
      process.exitCode = await dumpPageTable(kernel, options);
    });

  tableCommand(
    pagetable
      .command('diff')
      .argument('<first>', 'a kernel, a dump in JSON, or "model"')
      .argument('[second]', 'the same'),
  )
    .description('print what was added, lost and changed from one page table to another')
    .addHelpText('after', PAGETABLE_DIFF_HELP)
    .action(async (first: string, second: string | undefined, options) => {
      const { diffPageTables } = await import('./pagetable.js');
      process.exitCode = await diffPageTables(first, second, options);
    });
}
