/**
 * Watchpoints: memory that the machine is to halt for when it is stored to or loaded from. A watchpoint is about the
 * memory that its virtual address meant when it was set, through whichever mapping a hart comes to it (a user's page is
 * also written by the kernel's copyout). Only accesses to the same frames of RAM get slower.
 */
import type { Machine } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import { physicalPieces, type Piece } from './address-space.js';

export type WatchKind = 'write' | 'read' | 'access';

export interface Watchpoint {
  readonly kind: WatchKind;
  /** Virtual, as it was set. */
  readonly address: bigint;
  /** Bytes. */
  readonly length: number;
}

interface PlacedWatchpoint extends Watchpoint {
  readonly pieces: readonly Piece[];
}

const keyOf = ({ kind, address, length }: Watchpoint): string => `${kind} ${address} ${length}`;
const frameOf = (physical: bigint): bigint => physical - (physical % BigInt(PAGE_BYTES));

export class Watchpoints {
  private readonly active = new Map<string, PlacedWatchpoint>();
  /** Where watchpoints lie that were taken away since `tidy`; they may be set again in another address space. */
  private readonly earlier = new Map<string, PlacedWatchpoint>();
  private readonly watched: Record<'write' | 'read', Set<bigint>> = { write: new Set(), read: new Set() };

  /** `onHit` is told of a watched access just before it happens; `hart` is who executes, if anybody. */
  constructor(
    private readonly machine: Machine,
    private readonly onHit: (watchpoint: Watchpoint, hart: Hart | undefined) => void,
  ) {}

  /** Sets a watchpoint at an address of a hart, or without one at a physical one. False where not all of it is memory. */
  add(watchpoint: Watchpoint, hart: Hart | undefined): boolean {
    const key = keyOf(watchpoint);
    const { address, length } = watchpoint;
    const pieces = this.earlier.get(key)?.pieces ?? physicalPieces(this.machine, hart, address, length);
    if (pieces.reduce((sum, piece) => sum + piece.length, 0) < length) return false;
    this.active.set(key, { ...watchpoint, pieces });
    this.update();
    return true;
  }

  /** Until `tidy` it is remembered where it lay: debuggers take watchpoints away at each stop, and set the same ones again. */
  remove(watchpoint: Watchpoint): void {
    const key = keyOf(watchpoint);
    const placed = this.active.get(key);
    if (placed === undefined) return;
    this.earlier.set(key, placed);
    this.active.delete(key);
    this.update();
  }

  clear(): void {
    this.active.clear();
    this.tidy();
    this.update();
  }

  tidy(): void {
    this.earlier.clear();
  }

  /** Watches the frames that a watchpoint is in, and no others. */
  private update(): void {
    const needed: Record<'write' | 'read', Set<bigint>> = { write: new Set(), read: new Set() };
    for (const { kind, pieces } of this.active.values()) {
      for (const { physical } of pieces) {
        if (kind !== 'read') needed.write.add(frameOf(physical));
        if (kind !== 'write') needed.read.add(frameOf(physical));
      }
    }
    const { machine, watched } = this;
    const added = (access: 'write' | 'read') =>
      [...needed[access]].filter((frame) => !watched[access].has(frame));
    const dropped = (access: 'write' | 'read') =>
      [...watched[access]].filter((frame) => !needed[access].has(frame));
    for (const frame of added('write'))
      machine.watchFrame(frame, (...store) => this.check('write', ...store));
    for (const frame of added('read')) machine.watchLoads(frame, (...load) => this.check('read', ...load));
    for (const frame of dropped('write')) machine.unwatchFrame(frame);
    for (const frame of dropped('read')) machine.unwatchLoads(frame);
    this.watched.write = needed.write;
    this.watched.read = needed.read;
  }

  private check(access: 'write' | 'read', at: number, bytes: number, hart: Hart | undefined): void {
    for (const watchpoint of this.active.values()) {
      if (watchpoint.kind !== 'access' && watchpoint.kind !== access) continue;
      const isHit = watchpoint.pieces.some(
        ({ physical, length }) => at < Number(physical) + length && Number(physical) < at + bytes,
      );
      if (isHit) return this.onHit(watchpoint, hart);
    }
  }
}
