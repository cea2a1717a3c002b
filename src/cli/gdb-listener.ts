/** The TCP port at which a gdb connects. It is open before the machine exists; who connects in the meantime waits. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { BadInputError } from '../machine/errors.js';

/** What speaks with a client. */
export interface Conversation {
  receive(bytes: Uint8Array): void;
  close(): void;
}

/** Begins to speak with a client that has connected; `send` sends to it. */
export type Greeter = (send: (bytes: Uint8Array) => void) => Conversation;

export class GdbListener {
  private greeter: Greeter | undefined;
  private client: Socket | undefined;

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.accept(socket));
    // A client that cannot be accepted is not there.
    server.on('error', () => {});
  }

  /** Opens a port, any free one for 0. Throws BadInputError where that cannot be. */
  static async open(host: string, port: number): Promise<GdbListener> {
    const server = createServer();
    try {
      server.listen(port, host);
      await once(server, 'listening');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code === 'EADDRINUSE' ? 'something else is listening there' : message;
      throw new BadInputError(
        `cannot listen for gdb at ${host}:${port}: ${reason}; choose another --gdb port`,
      );
    }
    return new GdbListener(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Speaks with clients from now on, one at a time. */
  serve(greeter: Greeter): void {
    this.greeter = greeter;
    if (this.client) this.speak(this.client, greeter);
  }

  /** Frees the port, and hangs up. */
  close(): void {
    this.server.close();
    this.client?.destroySoon();
  }

  private accept(socket: Socket): void {
    if (this.client) return void socket.destroy();
    this.client = socket;
    socket.setNoDelay(true);
    // What a client that is gone leaves is its close.
    socket.on('error', () => {});
    socket.on('close', () => (this.client = undefined));
    if (this.greeter) this.speak(socket, this.greeter);
  }

  private speak(socket: Socket, greeter: Greeter): void {
    const conversation = greeter((bytes) => void (socket.writable && socket.write(bytes)));
    socket.on('data', (bytes: Buffer) => conversation.receive(bytes));
    socket.on('close', () => conversation.close());
  }
}
