/** Why a guest panicked, on one screen: the first trap taken apart, and where every hart is. */
import type { PostMortem } from '../debug/post-mortem.js';
import { describeTrap } from '../machine/explain.js';
import type { Machine } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import type { ProcessName } from '../xv6/guest.js';
import { where, who } from './check-text.js';
import { wrap } from './explain.js';
import { calls, describeFault, type FaultWitnesses } from './fault-text.js';
import { meaningOf } from './known-panics.js';

/** What a panic's text is made from besides the machine. */
export interface Witnesses extends FaultWitnesses {
  processOn(hart: Hart): ProcessName | undefined;
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
    lines.push(...describeFault('the first trap', faults[0], witnesses));
    if (faults.length > 1)
      lines.push(
        `  its handler trapped in turn: ${describeTrap(faults[1].cause, faults[1].value)} at ${where(places.at(faults[1].stack[0]))}`,
      );
  } else if (dead) {
    lines.push('  no trap led to it: the kernel found something wrong by itself');
    const meaning = meaningOf(title);
    if (meaning) lines.push(wrap(meaning, '  what it means: ', '    '));
  }
  for (const hart of machine.harts) {
    const waiting = hart.isIdle ? ', waiting for an interrupt' : '';
    lines.push(`  ${colour.cyan(event(hart))}${waiting}`);
    lines.push(...calls(postMortem.stackOf(hart), witnesses));
  }
  return lines.join('\n');
}
