/** The `rvemu` command: its options and help, and how every failure is told to the user. */
import { Command, CommanderError, Option } from 'commander';
import { BlockStoreError } from '../devices/device.js';
import { BadInputError } from '../machine/errors.js';
import { say } from './messages.js';
import { machineOptions } from './machine-options.js';
import { historySize, oneMore, portNumber, regularExpression, ruleNames, seedRange } from './options.js';
import { addPageTableCommand } from './pagetable-command.js';
import { packageVersion } from './version.js';

const EXIT_UNUSABLE = 2;
const EXIT_INTERNAL = 70;

const EXIT_CODES = `
Exit codes:
  0      done: every command ran, what was expected appeared, or the guest
         powered off
  1      no line of output matched --expect, or the guest ended before every
         command was typed
  2      bad usage, or a file that cannot be used
  3      the guest panicked, or did what no machine can go on from
  4      --timeout passed, or the guest waits for what cannot come
  N      the code that the guest handed to the test finisher
  70     an error in rvemu itself
  128+N  ended by signal N`;

const BOOT_HELP = `
Which kernel, which disk:
  Without a kernel, rvemu takes kernel/kernel and fs.img if it is started in
  an xv6 tree, and elsewhere its own, with a copy of its disk in memory. To a
  kernel named .../kernel/kernel belongs the fs.img of its tree. What the guest
  writes to its disk is in the image file at once, unless --ephemeral.

At a terminal:
  Every key goes to the guest, Ctrl-C too, except after Ctrl-A: then x ends
  rvemu, h helps, and Ctrl-A sends Ctrl-A. With --run or --expect the terminal
  only shows the output, and Ctrl-C ends rvemu.

In scripts:
  --run waits until the guest shows its prompt and nothing more, types the
  command and waits for the next prompt; the prompt after the last one ends the
  run. --expect alone ends the run at a line that matches; with --run, lines
  are looked at until the end. Standard input that is not a terminal is typed
  to the guest, and its end does not end the run. Idle time is skipped: a guest
  that sleeps costs no time. Only where standard input alone drives the guest
  does idle time take as long as it says. What rvemu itself has to say is on
  standard error.

Translated code:
  What is translated on the way to a prompt is kept in ~/.cache/rvemu, or in
  the folder that RVEMU_CACHE names (nowhere if that is empty), and saves the
  next run of the kernel time. It changes nothing else.

Missing fences:
  With --strict-tlb a hart goes by what it once read from a page table until an
  sfence.vma covers it, as hardware may and emulators hardly do. A use of a
  translation that is no longer in the table is reported on standard error, as
  is a missing fence.i; so they are by "rvemu check --strict-tlb".

Traces:
  --trace takes terms with commas between them. "instructions", "traps",
  "syscalls", "pagetable" and "disk" choose what is shown; hart=N, mode=user,
  process=NAME, function=NAME, pc=START-END and address=START-END show less.
  A line begins with the number of instructions that all harts together had
  executed (an interrupt taken counts as one), which findings, explanations of
  panics and recordings go by as well; then hart, mode, pc and function, and
  for an instruction that accesses memory the virtual and the physical address.
  A page table's change is shown at the store that made it. Functions of user
  programs are known from the files in user/ of an xv6 tree, or from
  --user-symbols. The run ends when nobody reads the trace any more.
${EXIT_CODES}

Examples:
  rvemu boot --run ls --trace syscalls,process=ls
  rvemu boot                         a shell, in an xv6 tree or anywhere
  rvemu boot kernel/kernel --disk fs.img --smp 1
  rvemu boot --run ls --run "cat README"
  rvemu boot --run usertests --expect "ALL TESTS PASSED" --timeout 300
  rvemu boot rv64ui-p-add            a bare test program, for its exit code`;

const CHECK_HELP = `
The kernel runs as it is, not rebuilt, beside a model of its memory management.
Where the two part, there is a finding: what happened, where, and who had the
frame before. Functions are found by their symbols; what a kernel has no
function for is not checked, and said so at the end. Findings are on standard
error; other formats go to standard output, in place of the guest's output,
unless --output names a file. The first run that fails is recorded
in check.rvemu, unless --record names another file; "rvemu replay" runs it again.
Lost frames are looked for when processes end, at the end of the run, and, in a
session at the terminal, at Ctrl-A l.

Exit codes:
  1      there are findings
  N      without findings, as for boot

Examples:
  rvemu check --run usertests        in an xv6 tree
  rvemu check --run forktest --seeds 1..50
  rvemu check kernel/kernel --run ls --format sarif --output check.sarif
  rvemu explain frame-lost           what a rule means, and how it is broken`;

const REPLAY_HELP = `
The kernel and the disk must be those that were recorded; the disk's file may
have been written by the recorded run itself. It is left as it is. A recorded
check shows its findings again.

Exit codes:
  0      it came out the same, to the bit
  1      it came out differently: which parts of the machine, is said
  2      a file that cannot be used: damaged, or another kernel or disk

Examples:
  rvemu boot --run usertests --record run.rvemu
  rvemu replay run.rvemu
  rvemu replay check.rvemu --trace function=uvmunmap`;

const DAP_HELP = `
Editors start this, not people: it speaks the Debug Adapter Protocol on standard
input and output. docs/vscode.md tells how VS Code finds it.

A launch configuration may have:
  kernel, disk, ephemeral, harts, memory, virtio, seed, prompt, userSymbols,
  history
             as the options of "rvemu boot" (harts is --smp)
  run        a list of commands, each typed at a prompt; the prompt after the
             last one ends the session
  stopOnEntry
             true to halt before the first instruction
  cwd        the folder that files are named from

Threads are harts. Breakpoints hold in the kernel and in user programs whose
files are in user/ of an xv6 tree or in userSymbols. All steps go back as well.
In the debug console, "> ls" types a line at the guest's console; anything else
is a variable or a part of one, such as p->name, or an expression of registers,
symbols and numbers, such as *sp+16.

Example of a configuration:
  { "type": "rvemu", "request": "launch", "name": "xv6", "stopOnEntry": true }`;

const SHIM_HELP = `
Makefiles and grade scripts of xv6 courses run what they find on PATH under the
name qemu-system-riscv64. The shim is a shell script; to go back to QEMU, take
it away.

Example:
  rvemu install-shim ~/rvemu-bin
  PATH=~/rvemu-bin:$PATH make grade

Without a shim:
  make QEMU="npx rvemu qemu" qemu`;

const TRANSLATE_HELP = `
First the instructions of the region, which is what can be reached from there
by branches and jumps in the same page; then its function, as WebAssembly text
with the instruction before what became of it. ARCHITECTURE.md explains it.

Examples:
  rvemu translate memset
  rvemu translate 0x80000f0c kernel/kernel
  rvemu translate main user/_cat --follow-calls`;

/** The file that a process is started with to have the command. */
let mainFile: string;

const program = new Command('rvemu')
  .description('Boots xv6-riscv kernels on a RISC-V machine that runs the same every time.')
  .version(packageVersion(), '--version', 'print the version')
  .helpOption('--help', 'show help')
  .helpCommand('help [command]', 'show help for a command')
  .enablePositionalOptions()
  .addHelpText('after', EXIT_CODES)
  .addHelpText('after', '\nExample:\n  rvemu boot    a shell; "rvemu boot --help" tells the rest')
  .exitOverride()
  .configureOutput({ outputError: (text) => say(inOneLine(text), 'error') });

/** What says which machine boots, and how its session goes. */
const sessionCommand = (name: string): Command =>
  machineOptions(program.command(name).argument('[kernel]', 'an ELF file for RV64'))
    .option('--ephemeral', 'keep disk writes in memory')
    .option('--run <command>', 'type this at the prompt; may be given many times', oneMore)
    .option('--expect <regex>', 'a line of output must match this', regularExpression)
    .option('--strict-tlb', 'let harts use old translations until sfence.vma, and report each that is used')
    .option('--no-explain-panic', 'do not explain why the guest panicked, or a program was killed')
    .option('--log <file>', 'write a copy of all output here')
    .option('--record <file>', 'write here what "rvemu replay" needs to run it again')
    .option(
      '--trace <filter>',
      'show on standard error what the harts do; "rvemu boot --help" has the filters',
    )
    .option('--user-symbols <file>', 'an ELF file of a user program; may be given many times', oneMore);

sessionCommand('boot')
  .description('boot a kernel, at the terminal or in a script')
  .option('--stats', 'at the end, say what was executed, how, and how fast')
  .option('--gdb <port>', 'let a gdb connect here (target remote :PORT); 0 for any free port', portNumber)
  .option('--wait', 'do not run anything until gdb says so')
  .option('--gdb-host <address>', 'where the port is open, other than on this machine only (127.0.0.1)')
  .addOption(
    new Option('--history <size>', 'memory for going back in a run with gdb; 0 for no way back')
      .argParser(historySize)
      .default(256 * 1024 ** 2, '256M'),
  )
  .addHelpText('after', BOOT_HELP)
  .action(async (kernel: string | undefined, options) => {
    const { boot } = await import('./boot.js');
    process.exitCode = await boot(kernel, options);
  });

sessionCommand('check')
  .description('boot a kernel and watch its memory management for bugs')
  .addOption(
    new Option('--format <format>', 'how to report')
      .choices(['text', 'json', 'junit', 'sarif', 'github'])
      .default('text'),
  )
  .option('--output <file>', 'write the report here')
  .option('--rules <rules>', 'report only these rules, between commas', ruleNames)
  .option('--ignore <rules>', 'do not report these rules, between commas', ruleNames)
  .option('--until-first', 'end at the first finding')
  .option('--seeds <range>', 'run once with each seed of a range such as 1..200', seedRange)
  .option('--no-record', 'do not record a run that fails')
  .addHelpText('after', CHECK_HELP)
  .action(async (kernel: string | undefined, options) => {
    const { check } = await import('./check.js');
    process.exitCode = await check(kernel, options, packageVersion());
  });

program
  .command('replay')
  .description('run a recorded run again, to the bit')
  .argument('<recording>', 'a file that --record wrote')
  .argument('[kernel]', 'the kernel that was recorded, if it is no longer where it was')
  .option('--disk <file>', 'the disk image, if it is no longer where it was')
  .option('--no-jit', 'interpret everything: slower, and otherwise the same')
  .option('--trace <filter>', 'show on standard error what the harts do, as with boot')
  .option('--user-symbols <file>', 'an ELF file of a user program; may be given many times', oneMore)
  .addHelpText('after', REPLAY_HELP)
  .action(async (recording: string, kernel: string | undefined, options) => {
    const { replay } = await import('./replay.js');
    process.exitCode = await replay(recording, kernel, options);
  });

program
  .command('dap')
  .description('debug adapter: lets VS Code debug a guest')
  .addHelpText('after', DAP_HELP)
  .action(async () => {
    if (process.stdin.isTTY)
      throw new BadInputError('dap is for editors to start, not for terminals; see "rvemu dap --help"');
    const { serveAdapter } = await import('./dap/adapter.js');
    await serveAdapter(process.stdin, process.stdout);
  });

addPageTableCommand(program);

program
  .command('translate')
  .description('print the WebAssembly that hot code at a place is translated to')
  .argument('<place>', 'a function, or an address in hexadecimal')
  .argument('[kernel]', 'an ELF file for RV64, of a kernel or a user program')
  .option('--follow-calls', 'translate what is called in the same page, too, as is done where it is hot')
  .addHelpText('after', TRANSLATE_HELP)
  .action(async (place: string, kernel: string | undefined, options) => {
    const { translate } = await import('./translate.js');
    process.stdout.write(translate(place, kernel, options));
  });

program
  .command('qemu')
  .description('take the place of qemu-system-riscv64: with the options of a Makefile, as they are')
  .usage('[QEMU options]')
  .argument('[options...]')
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (words: string[]) => {
    const { qemu } = await import('./qemu.js');
    process.exitCode = await qemu(words, packageVersion());
  });

program
  .command('install-shim')
  .description('write a qemu-system-riscv64 that runs this rvemu')
  .argument('<folder>', 'where; put it first on PATH')
  .addHelpText('after', SHIM_HELP)
  .action(async (folder: string) => {
    const { installShim } = await import('./install-shim.js');
    say(installShim(folder, [process.execPath, ...process.execArgv, mainFile]));
  });

program
  .command('explain')
  .description('explain a rule of the checker, or list them all')
  .argument('[rule]', 'such as frame-freed-twice')
  .action(async (rule: string | undefined) => {
    const { explain } = await import('./explain.js');
    process.stdout.write(explain(rule));
  });

/** Does what the process's arguments say, and ends it. */
export async function main(startedWith: string): Promise<never> {
  mainFile = startedWith;
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
  // Standard input may still be open, and would keep the process.
  process.exit();
}

/** Tells the user what went wrong, unless that was done, and returns the exit code for it. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_UNUSABLE;
  if (error instanceof BadInputError || error instanceof BlockStoreError) {
    say(error.message, 'error');
    return EXIT_UNUSABLE;
  }
  const message = error instanceof Error ? error.message : String(error);
  say(`internal error: ${message}; please report it, with the command you gave`, 'error');
  if (process.env.RVEMU_DEBUG) console.error(error);
  else say('RVEMU_DEBUG=1 in the environment shows where it happened');
  return EXIT_INTERNAL;
}

/** Commander's words for a usage error, without its own prefix and line breaks. */
function inOneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
}
