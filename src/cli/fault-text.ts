/** An exception taken apart, in lines. */
import type { ChalkInstance } from 'chalk';
import type { VisitedEntry } from '../debug/address-space.js';
import type { Fault } from '../debug/fault.js';
import type { Places } from '../debug/places.js';
import { describePoison } from '../debug/poison.js';
import { describeTrap } from '../machine/explain.js';
import { hex } from '../machine/hex.js';
import { disassemble, REGISTER_NAMES } from '../rv64/disassemble.js';
import { Cause } from '../rv64/trap.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { Event } from '../xv6/finding.js';
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

/** What an exception's text is made from besides itself. */
export interface FaultWitnesses {
  /** Of the kernel, or of the program that it was in. */
  readonly places: Places;
  readonly text: TextReport;
  readonly colour: ChalkInstance;
  /** What is known of a frame's past, under `check`. */
  historyOf(physical: number): readonly { readonly what: string; readonly event: Event }[];
}

export const calls = (stack: readonly number[], { places }: Pick<FaultWitnesses, 'places'>): string[] =>
  places
    .ofStack(stack)
    .slice(0, MAXIMUM_CALLS)
    .map((place) => `    ${where(place)}`);

/** `name` is what it is called. */
export function describeFault(name: string, fault: Fault, witnesses: FaultWitnesses): string[] {
  const { places, text, colour } = witnesses;
  const [place] = places.ofStack(fault.stack);
  const lines = [
    `  ${colour.red.bold(name)}: ${describeTrap(fault.cause, fault.value)}, instruction ${fault.instructionCount}`,
    ...text.source(place),
  ];
  if (fault.instruction !== undefined)
    lines.push(`  instruction: ${disassemble(fault.instruction, BigInt(fault.stack[0]))}`);
  lines.push(...describeValue(fault).map((line) => `  ${line}`));
  lines.push(...describePath(fault, witnesses));
  if (!fault.ofUser) lines.push(...poisonIn(fault));
  const callers = calls(fault.stack, witnesses).slice(1);
  if (callers.length > 0) lines.push('  called from', ...callers);
  return lines;
}

/** What the address that was accessed looks like. */
function describeValue({ cause, value, registers, translation }: Fault): string[] {
  if (!ADDRESS_FAULTS.includes(cause)) return [];
  const poison = describePoison(value);
  const below = registers[STACK_POINTER] - value;
  const isStack = below > -BigInt(PAGE_BYTES) && below < BigInt(MAXIMUM_FRAME_BYTES);
  const isClosed = translation?.reason !== undefined;
  if (poison) return [`stval is poison: ${poison}`];
  if (value === 0n) return ['stval is a null pointer'];
  if (value < BigInt(PAGE_BYTES)) return [`stval is ${value} bytes from a null pointer`];
  if (isStack && isClosed)
    return [
      `stval is next to the stack pointer ${hex(registers[STACK_POINTER])}: the stack has run over its end`,
    ];
  return [];
}

/** The way down the page table, and why it ended. */
function describePath(
  { translation, value }: Fault,
  { colour, historyOf, places }: FaultWitnesses,
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

/** Registers that held poison, the one that made the address among them. A new process has it in all that it has not set. */
function poisonIn({ registers }: Fault): string[] {
  return [...new Set(registers)].flatMap((value) => {
    const poison = value < BigInt(PAGE_BYTES) ? undefined : describePoison(value);
    const names = REGISTER_NAMES.filter((_, register) => registers[register] === value).join(' = ');
    return poison ? [`  ${names} = ${hex(value)}: ${poison}`] : [];
  });
}
