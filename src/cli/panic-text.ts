/** Why a guest panicked, on one screen: the first trap taken apart, and where every hart is. */
import type { ChalkInstance } from 'chalk';
import type { VisitedEntry } from '../debug/address-space.js';
import type { Places } from '../debug/places.js';
import { describePoison } from '../debug/poison.js';
import type { KernelFault, PostMortem } from '../debug/post-mortem.js';
import { describeTrap } from '../machine/explain.js';
import { hex } from '../machine/hex.js';
import type { Machine } from '../machine/machine.js';
import { disassemble, REGISTER_NAMES } from '../rv64/disassemble.js';
import type { Hart } from '../rv64/hart.js';
import { Cause } from '../rv64/trap.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { Event } from '../xv6/finding.js';
import type { ProcessName } from '../xv6/guest.js';
import { describeEntry } from '../xv6/table-rules.js';
import { type TextReport, where, who } from './check-text.js';

/** Calls shown of each backtrace. */
const MAXIMUM_CALLS = 10;
const STACK_POINTER = 2;
/** Exceptions whose value is the address of an access. */
const ADDRESS_FAULTS = [
  Cause.FetchAccess,
  Cause.LoadAccess,
  Cause.StoreAccess,
  Cause.FetchPage,
  Cause.LoadPage,
  Cause.StorePage,
].map(BigInt);
/** An access so far below the stack pointer was for the stack. */
const MAXIMUM_FRAME_BYTES = 2 * PAGE_BYTES;

/** What a panic's text is made from besides the machine. */
export interface Witnesses {
  readonly places: Places;
  readonly text: TextReport;
  readonly colour: ChalkInstance;
  processOn(hart: Hart): ProcessName | undefined;
  /** What is known of a frame's past, under `check`. */
  historyOf(physical: number): readonly { readonly what: string; readonly event: Event }[];
}

/** The whole text, in lines. `title` says what happened. */
export function explainPanic(
  machine: Machine,
  postMortem: PostMortem,
  title: string,
  witnesses: Witnesses,
): string {
  const { places, colour } = witnesses;
  const dead = postMortem.deadHart(places);
  const faults = dead ? postMortem.faultsOf(dead) : [];
  const event = (hart: Hart): string =>
    who({
      hart: hart.index,
      process: witnesses.processOn(hart),
      instruction: machine.instructionCount,
    });
  const lines = [colour.bold(`why: ${title}`), ...(dead ? [`  ${event(dead)}`] : [])];
  if (faults.length > 0) {
    lines.push(...describeFault(faults[0], witnesses));
    if (faults.length > 1)
      lines.push(
        `  its handler trapped in turn: ${describeTrap(faults[1].cause, faults[1].value)} at ${where(places.at(faults[1].stack[0]))}`,
      );
  } else if (dead) lines.push('  no trap led to it: the kernel found something wrong by itself');
  for (const hart of machine.harts) {
    const waiting = hart.isIdle ? ', waiting for an interrupt' : '';
    lines.push(`  ${colour.cyan(event(hart))}${waiting}`);
    lines.push(...calls(postMortem.stackOf(hart), witnesses));
  }
  return lines.join('\n');
}

const calls = (stack: readonly number[], { places }: Witnesses): string[] =>
  places
    .ofStack(stack)
    .slice(0, MAXIMUM_CALLS)
    .map((place) => `    ${where(place)}`);

function describeFault(fault: KernelFault, witnesses: Witnesses): string[] {
  const { places, text, colour } = witnesses;
  const [place] = places.ofStack(fault.stack);
  const lines = [
    `  ${colour.red.bold('the first trap')}: ${describeTrap(fault.cause, fault.value)}, instruction ${fault.instructionCount}`,
    ...text.source(place),
  ];
  if (fault.instruction !== undefined)
    lines.push(`  instruction: ${disassemble(fault.instruction, BigInt(fault.stack[0]))}`);
  lines.push(...describeValue(fault).map((line) => `  ${line}`));
  lines.push(...describePath(fault, witnesses));
  lines.push(...poisonIn(fault));
  lines.push('  called from', ...calls(fault.stack, witnesses).slice(1));
  return lines;
}

/** What the address that was accessed looks like. */
function describeValue({ cause, value, registers, translation }: KernelFault): string[] {
  if (!ADDRESS_FAULTS.includes(cause)) return [];
  const poison = describePoison(value);
  const below = registers[STACK_POINTER] - value;
  const isStack = below > -BigInt(PAGE_BYTES) && below < BigInt(MAXIMUM_FRAME_BYTES);
  const isUnmapped = translation?.path.at(-1)!.entry === 0n;
  if (poison) return [`stval is poison: ${poison}`];
  if (value === 0n) return ['stval is a null pointer'];
  if (value < BigInt(PAGE_BYTES)) return [`stval is ${value} bytes from a null pointer`];
  if (isStack && isUnmapped)
    return [
      `stval is next to the stack pointer ${hex(registers[STACK_POINTER])}: the stack has run over its end`,
    ];
  return [];
}

/** The way down the page table, and why it ended. */
function describePath(
  { translation, value }: KernelFault,
  { colour, historyOf, places }: Witnesses,
): string[] {
  if (translation === undefined) return [];
  const { path, reason, root } = translation;
  const isCanonical = !reason?.includes('canonical');
  const lines = [`  ${hex(value)} in the table at ${hex(root)}: ${reason ?? 'is mapped'}`];
  if (!isCanonical) return lines;
  path.forEach((visited, depth) => {
    const mark = depth === path.length - 1 && reason ? colour.red(' <-- here') : '';
    lines.push(`    ${'  '.repeat(depth)}${describeVisited(visited)}${mark}`);
  });
  for (const { what, event } of historyOf(Number(path.at(-1)!.at))) {
    lines.push(`  the frame of that table was ${what}: ${who(event)}`);
    lines.push(
      ...places
        .ofStack(event.stack)
        .slice(0, MAXIMUM_CALLS)
        .map((each) => `    ${where(each)}`),
    );
  }
  return lines;
}

function describeVisited({ level, index, entry }: VisitedEntry): string {
  if (entry === undefined) return `level ${level}, entry ${index}: no memory there`;
  const poison = entry === 0n ? undefined : describePoison(entry);
  return `level ${level}, entry ${index}: ${describeEntry(entry)}${poison ? `, poison: ${poison}` : ''}`;
}

/** Registers that held poison, the one that made the address among them. */
function poisonIn({ registers }: KernelFault): string[] {
  return [...new Set(registers)].flatMap((value) => {
    const poison = value < BigInt(PAGE_BYTES) ? undefined : describePoison(value);
    const names = REGISTER_NAMES.filter((_, register) => registers[register] === value).join(' = ');
    return poison ? [`  ${names} = ${hex(value)}: ${poison}`] : [];
  });
}
