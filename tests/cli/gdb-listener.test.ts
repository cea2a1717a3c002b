import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { GdbListener } from '../../src/cli/gdb-listener.js';

const listeners: GdbListener[] = [];
afterEach(() => listeners.splice(0).forEach((listener) => listener.close()));

async function listen(): Promise<GdbListener> {
  const listener = await GdbListener.open('127.0.0.1', 0);
  listeners.push(listener);
  return listener;
}

const client = (listener: GdbListener): Socket => connect(listener.port, '127.0.0.1').on('error', () => {});

/** Sends back what it is sent. */
const echo =
  (ends: string[] = []) =>
  (send: (bytes: Uint8Array) => void) => ({
    receive: send,
    close: () => void ends.push('closed'),
  });

describe('the port for gdb', () => {
  it('takes a client before there is anything to debug, and then hears what it said', async () => {
    const listener = await listen();
    const socket = client(listener);
    await once(socket, 'connect');
    socket.write('$g#67');
    await new Promise((resolve) => setTimeout(resolve, 20));
    listener.serve(echo());
    expect(String((await once(socket, 'data'))[0])).toBe('$g#67');
  });

  it('takes one client at a time, and the next when that is gone', async () => {
    const listener = await listen();
    const ends: string[] = [];
    listener.serve(echo(ends));
    const first = client(listener);
    first.write('first');
    await once(first, 'data');
    await once(client(listener), 'close');
    first.destroy();
    while (ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const third = client(listener);
    third.write('third');
    expect(String((await once(third, 'data'))[0])).toBe('third');
  });

  it('is free again at once after it was closed', async () => {
    const listener = await listen();
    listener.serve(echo());
    const socket = client(listener);
    socket.write('x');
    await once(socket, 'data');
    const { port } = listener;
    listener.close();
    const again = await GdbListener.open('127.0.0.1', port);
    listeners.push(again);
    expect(again.port).toBe(port);
  });

  it('that is taken is refused in one sentence', async () => {
    const { port } = await listen();
    await expect(GdbListener.open('127.0.0.1', port)).rejects.toThrow(
      `cannot listen for gdb at 127.0.0.1:${port}: something else is listening there; choose another --gdb port`,
    );
  });
});
