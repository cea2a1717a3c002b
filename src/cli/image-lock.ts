/**
 * A lock on a disk image that the guest may write to: two guests that write to one file system ruin it. The lock is a
 * name for a socket that only one process of a machine can have, and that is free again as soon as it is gone, however
 * it ended. Only Linux has such names; elsewhere nothing is locked.
 */
import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { BadInputError } from '../machine/errors.js';
import { now } from './now.js';

/** A run that was told to end may need so long to be gone. */
const PATIENCE_MILLIS = 2000;
const RETRY_MILLIS = 50;

/** Locks an image that can be opened, and returns what frees it. Throws BadInputError when another process has it. */
export async function lockImage(path: string): Promise<() => void> {
  if (process.platform !== 'linux') return () => {};
  const { dev, ino } = statSync(path, { bigint: true });
  // A name that begins with a zero byte is not in the file system: see unix(7), "abstract".
  const name = `\0rvemu disk ${dev} ${ino}`;
  for (const deadline = now() + PATIENCE_MILLIS; ;) {
    const server = await tryToListen(name);
    if (server) return () => void server.close();
    if (now() > deadline) {
      throw new BadInputError(
        `disk image ${path} is in use by another rvemu, and two guests that write to it would ruin it; ` +
          "end that one, or keep writes in memory (--ephemeral, or QEMU's -snapshot)",
      );
    }
    await delay(RETRY_MILLIS);
  }
}

/** Undefined where someone else has the name. A host that has no such names locks nothing. */
function tryToListen(name: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve) => {
    server.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRINUSE' ? undefined : server),
    );
    server.listen(name, () => resolve(server));
  });
}
