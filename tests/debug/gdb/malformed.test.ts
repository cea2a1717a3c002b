import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, packet } from '../../../src/debug/gdb/packets.js';
import { bootImage } from '../../support/images.js';
import { GdbClient } from '../../support/gdb.js';
import { remembered } from '../../support/remembered.js';

/** Things that packets are made of, put together in ways that make no sense. */
const words = [
  ...[
    'g',
    'G',
    'p',
    'P',
    'm',
    'M',
    'X',
    'H',
    'Hg',
    'Hc',
    'T',
    's',
    'S05',
    'c',
    'C05',
    'vCont',
    'vCont?',
    'qC',
    '?',
  ],
  ...[
    'Z0',
    'Z1',
    'Z2',
    'Z3',
    'Z4',
    'Z9',
    'z0',
    'z2',
    'qXfer:features:read:',
    'target.xml',
    'qXfer:memory-map:read::',
  ],
  ...[
    'qXfer:threads:read::',
    'qRcmd',
    'qSupported',
    'qThreadExtraInfo',
    'QStartNoAckMode',
    'bs',
    'bc',
    'D',
    'k',
  ],
  ...[
    ':',
    ';',
    ',',
    '=',
    '-',
    '-1',
    '0',
    '1',
    '2',
    '9',
    'ffffffffffffffff',
    '80000000',
    '7fffffffffffffff',
    'zz',
  ],
  ...['fffffffffffffffff', '68656c70', '77616c6b2030', '', '#', '$', '}', '\x03', '\x00', '\xff', '*', ' '],
];

const body = fc.oneof(
  fc.array(fc.constantFrom(...words), { maxLength: 8 }).map((parts) => parts.join('')),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes)),
);

const noise = fc.oneof(
  { weight: 4, arbitrary: body.map((text) => packet(text)) },
  body.map((text) => bytesOf(text)),
  body.map((text) => bytesOf(`$${text}#`)),
  body.map((text) => bytesOf(`$${text}#00`)),
);

/** Sends nonsense of all kinds, so many times, and then a packet that makes sense. */
function survives(client: GdbClient, numRuns: number): void {
  const property = fc.property(fc.array(noise, { maxLength: 10 }), (pieces) => {
    for (const piece of pieces) {
      client.connection.receive(piece);
      client.target.run(1000);
    }
    client.sendRaw('#00\x03');
    client.take();
    expect(client.ask('qfThreadInfo')).toBe('m01,02');
  });
  fc.assert(property, { numRuns });
}

describe('whatever a client sends', () => {
  it('the connection goes on and answers the next packet', () => {
    survives(new GdbClient(bootImage({ harts: 2, memoryBytes: 8 << 20 }).machine), 2000);
  });

  it('so it does where the client can go back', () => {
    const { machine, history } = remembered();
    survives(new GdbClient(machine, history), 300);
  });

  it('a packet without an end takes up no more than a packet may', () => {
    const client = new GdbClient(bootImage({ memoryBytes: 8 << 20 }).machine);
    for (let i = 0; i < 100; i++) client.sendRaw('$' + 'm'.repeat(100_000));
    expect(client.ask('qC')).toBe('QC01');
  });
});
