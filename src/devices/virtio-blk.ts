/**
 * A virtio disk (virtio 1.2, section 5.2): the requests that come out of the queue, answered from a block store.
 *
 *   request         type u32, reserved u32, sector u64, then the data to write
 *   answer          the data read, then one byte of status: 0 done, 1 I/O error, 2 unsupported
 *   configuration   capacity u64, in sectors
 */

import { type BlockStore, BlockStoreError, SECTOR_BYTES } from './device.js';
import type { VirtioBackend } from './virtio-mmio.js';
import type { Broken, Chain, ChainReader, ChainWriter } from './virtqueue.js';

const HEADER_BYTES = 16;
const STATUS_BYTES = 1;

const IN = 0;
const OUT = 1;
const FLUSH = 4;
const GET_ID = 8;

const OK = 0;
const IO_ERROR = 1;
const UNSUPPORTED = 2;

const FEATURE_READ_ONLY = 1n << 5n;
const FEATURE_FLUSH = 1n << 9n;

/** The answer to GET_ID: 20 bytes, filled up with zeros. */
const ID = new Uint8Array(20);
ID.set(new TextEncoder().encode('rvemu'));

/** Most bytes that one call of the store moves; it bounds the buffer, whatever the guest asks for. */
const TRANSFER_BYTES = 128 * SECTOR_BYTES;

/** A request that was served. */
export interface DiskRequest {
  readonly kind: 'read' | 'write' | 'flush' | 'identify' | 'unknown';
  /** The first sector, and how many bytes were moved. */
  readonly sector: number;
  readonly bytes: number;
  readonly isDone: boolean;
}

const KINDS: Readonly<Record<number, DiskRequest['kind']>> = {
  [IN]: 'read',
  [OUT]: 'write',
  [FLUSH]: 'flush',
  [GET_ID]: 'identify',
};

export class VirtioBlk implements VirtioBackend {
  readonly deviceId = 2;
  readonly features: bigint;
  readonly configuration = new Uint8Array(8);

  /** What the host failed at last, so that a guest which tries again is not reported for ever. */
  private lastFailure = '';

  /** `onRequest` hears of each request once it is served; `onFailure` is told what the host could not do, in the store's words; the guest sees an I/O error. */
  constructor(
    private readonly store: BlockStore,
    private readonly onFailure: (message: string) => void = () => {},
    private readonly onRequest: (request: DiskRequest) => void = () => {},
  ) {
    this.features = FEATURE_FLUSH | (store.readOnly ? FEATURE_READ_ONLY : 0n);
    new DataView(this.configuration.buffer).setBigUint64(0, BigInt(store.sectors), true);
  }

  /** The status is the last byte of the answer, whatever comes before it. */
  serve({ reader, writer }: Chain): number | Broken {
    if (reader.remaining < HEADER_BYTES) {
      return { broken: `a disk request of ${reader.remaining} bytes is shorter than its header` };
    }
    if (writer.remaining < STATUS_BYTES) return { broken: 'a disk request has no room for its status' };
    const answerBytes = writer.remaining;
    const status = this.perform(reader, writer);
    writer.skip(writer.remaining - STATUS_BYTES);
    writer.write(Uint8Array.of(status));
    return answerBytes;
  }

  private perform(reader: ChainReader, writer: ChainWriter): number {
    const header = new Uint8Array(HEADER_BYTES);
    reader.read(header);
    const fields = new DataView(header.buffer);
    const type = fields.getUint32(0, true);
    const sector = fields.getBigUint64(8, true);
    const bytes = type === OUT ? reader.remaining : writer.remaining - STATUS_BYTES;
    const status = this.performType(type, sector, reader, writer);
    const kind = KINDS[type] ?? 'unknown';
    this.onRequest({ kind, sector: Number(sector), bytes, isDone: status === OK });
    return status;
  }

  private performType(type: number, sector: bigint, reader: ChainReader, writer: ChainWriter): number {
    try {
      switch (type) {
        case IN:
          return this.read(sector, writer);
        case OUT:
          return this.write(sector, reader);
        case FLUSH:
          this.store.flush();
          return OK;
        case GET_ID:
          writer.write(ID.subarray(0, writer.remaining - STATUS_BYTES));
          return OK;
        default:
          return UNSUPPORTED;
      }
    } catch (error) {
      if (!(error instanceof BlockStoreError)) throw error;
      if (error.message !== this.lastFailure) this.onFailure(error.message);
      this.lastFailure = error.message;
      return IO_ERROR;
    }
  }

  private read(sector: bigint, writer: ChainWriter): number {
    const bytes = writer.remaining - STATUS_BYTES;
    if (!this.holds(sector, bytes)) return IO_ERROR;
    for (const [at, length] of transfers(Number(sector), bytes)) {
      const buffer = new Uint8Array(length);
      this.store.read(at, buffer);
      writer.write(buffer);
    }
    return OK;
  }

  private write(sector: bigint, reader: ChainReader): number {
    const bytes = reader.remaining;
    if (this.store.readOnly || !this.holds(sector, bytes)) return IO_ERROR;
    for (const [at, length] of transfers(Number(sector), bytes)) {
      const buffer = new Uint8Array(length);
      reader.read(buffer);
      this.store.write(at, buffer);
    }
    return OK;
  }

  /** Whether `bytes` are whole sectors that all lie on the disk from `sector` on. */
  private holds(sector: bigint, bytes: number): boolean {
    const end = sector + BigInt(Math.ceil(bytes / SECTOR_BYTES));
    return bytes % SECTOR_BYTES === 0 && end <= BigInt(this.store.sectors);
  }
}

/** Cuts a transfer of `bytes` from `sector` on into pieces: pairs of a first sector and a length in bytes. */
function* transfers(sector: number, bytes: number): Generator<[number, number]> {
  for (let done = 0; done < bytes; done += TRANSFER_BYTES) {
    yield [sector + done / SECTOR_BYTES, Math.min(TRANSFER_BYTES, bytes - done)];
  }
}
