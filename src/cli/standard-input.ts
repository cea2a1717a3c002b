/** Standard input. A stream of it takes Node long to make, so none is made where there is nothing to read. */
import { devNull } from 'node:os';
import { fstatSync, statSync } from 'node:fs';

/** Its number. */
export const STDIN = 0;

/** The stream; undefined where it is the null device. */
export const standardInput = (): NodeJS.ReadStream | undefined => (isNull() ? undefined : process.stdin);

function isNull(): boolean {
  try {
    const input = fstatSync(STDIN);
    return input.isCharacterDevice() && input.rdev === statSync(devNull).rdev;
  } catch {
    return false; // It is closed, which the stream finds out.
  }
}
