/**
 * Breakpoints at virtual addresses, in whichever address space a hart comes to one. Where its page lies is found out as
 * harts begin to execute the page, and there a probe is set; so all other code runs at full speed, and the guest's
 * memory is never written to.
 */
import type { Machine } from '../machine/machine.js';
import { HOLD } from '../rv64/code-page.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';

/** Number of the page that an address is in. */
const pageOf = (address: bigint): number => Number(address / BigInt(PAGE_BYTES));

export class Breakpoints {
  private readonly active = new Set<bigint>();
  /** Pages that have or had breakpoints, and where each has been found to lie: physical addresses of pages. */
  private readonly pages = new Map<number, Set<bigint>>();
  /** Physical addresses that have a probe. */
  private readonly probed = new Set<bigint>();
  /** The steps that each hart had made when it was told to go on, whatever breakpoint it stands at. */
  private readonly passing = new Map<Hart, number>();
  private stopListening = (): void => {};

  /** `onHit` is told of a hart that is about to execute the instruction at a breakpoint; true to hold it there. */
  constructor(
    private readonly machine: Machine,
    private readonly onHit: (hart: Hart) => boolean,
  ) {}

  /** Sets a breakpoint, if there is none, at a virtual address. */
  add(address: bigint): void {
    const virtual = BigInt.asUintN(64, address);
    this.active.add(virtual);
    const places = this.pages.get(pageOf(virtual));
    if (places) {
      for (const place of places) this.probe(place, virtual);
      return;
    }
    this.pages.set(pageOf(virtual), new Set());
    // Pages that are being executed already are to be told, too.
    this.stopListening();
    this.stopListening = this.machine.listenToFetches((page, place) => this.find(page, place));
  }

  /** Its probes stay until `tidy`: debuggers take breakpoints away at each stop, and set the same ones again. */
  remove(address: bigint): void {
    this.active.delete(BigInt.asUintN(64, address));
  }

  clear(): void {
    this.active.clear();
  }

  /** Takes away the probes that no breakpoint needs any more. */
  tidy(): void {
    for (const page of this.pages.keys()) {
      if (![...this.active].some((address) => pageOf(address) === page)) this.pages.delete(page);
    }
    const needed = new Set<bigint>();
    for (const address of this.active) {
      for (const place of this.pages.get(pageOf(address))!) needed.add(probeAt(place, address));
    }
    for (const physical of this.probed) {
      if (needed.has(physical)) continue;
      this.machine.clearProbe(physical);
      this.probed.delete(physical);
    }
    if (this.active.size === 0) this.stopListening();
  }

  /** Lets a hart execute the instruction it is at, even if it is at a breakpoint. */
  letPass(hart: Hart): void {
    this.passing.set(hart, hart.steps);
  }

  /** Takes `letPass` back. */
  letNobodyPass(): void {
    this.passing.clear();
  }

  private find(page: number, place: bigint): void {
    const places = this.pages.get(page);
    if (places === undefined || places.has(place)) return;
    places.add(place);
    for (const address of this.active) {
      if (pageOf(address) === page) this.probe(place, address);
    }
  }

  private probe(place: bigint, virtual: bigint): void {
    const physical = probeAt(place, virtual);
    if (this.probed.has(physical)) return;
    this.probed.add(physical);
    this.machine.setProbe(physical, (hart) => (this.holds(hart) ? HOLD : undefined));
  }

  /** Whether a hart is to be held where it is. The same frame may be executed at another address. */
  holds(hart: Hart): boolean {
    if (!this.active.has(BigInt.asUintN(64, hart.pc)) || this.passing.get(hart) === hart.steps) return false;
    return this.onHit(hart);
  }
}

const probeAt = (place: bigint, virtual: bigint): bigint => place + (virtual % BigInt(PAGE_BYTES));
