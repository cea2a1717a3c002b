/** What rvemu itself has to say, apart from what the guest prints: on stderr, each message led by its name. */
import { fstatSync } from 'node:fs';
import { Chalk, chalkStderr } from 'chalk';

/** Colour for stderr: none where it is not a terminal, or where NO_COLOR (no-color.org) asks for none. */
const colour = process.env.NO_COLOR ? new Chalk({ level: 0 }) : chalkStderr;

const LABEL = { error: colour.red.bold('rvemu:'), notice: colour.cyan('rvemu:') };

export function say(message: string, kind: keyof typeof LABEL = 'notice'): void {
  process.stderr.write(`${LABEL[kind]} ${message}\n`);
}

const said = new Set<string>();

/** The same for what may come up again, as in each of many runs. */
export function sayOnce(message: string): void {
  if (!said.has(message)) say(message);
  said.add(message);
}

/** Whether stdout and stderr end up in one place, so that a message could land in the middle of a line. */
export function outputsShareOnePlace(): boolean {
  try {
    const [output, errors] = [fstatSync(1), fstatSync(2)];
    return output.dev === errors.dev && output.ino === errors.ino;
  } catch {
    return false; // One of them is closed.
  }
}
