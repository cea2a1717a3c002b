/** Physical memory by name: the board's devices, and the parts of the kernel that its symbols tell. */
import type { MemoryMap } from '../../machine/memory-map.js';
import type { Guest } from '../guest.js';
import { roundUp } from '../model/memory.js';
import type { PhysicalNames } from './dump.js';

/** What a kernel is made of, each up to an address; what follows the last is memory that it hands out. */
interface Part {
  readonly name: string;
  readonly end: number;
}

export class GuestNames implements PhysicalNames {
  private readonly map: MemoryMap;
  private readonly parts: readonly Part[];

  constructor(private readonly guest: Guest) {
    this.map = guest.machine.board.map;
    this.parts = [
      { name: 'text', end: guest.address('etext') },
      { name: 'data', end: guest.address('end') },
    ].flatMap(({ name, end }) => (end === undefined ? [] : [{ name, end: roundUp(end) }]));
  }

  placeOf(physical: number, inPlace: boolean): { name: string; offset: number } | undefined {
    if (!this.guest.isRam(physical)) {
      const device = this.map.find(physical);
      // What lies beside a device of this board may be one of another.
      return device
        ? { name: device.name, offset: physical - device.base }
        : { name: 'no device', offset: physical };
    }
    const part = this.parts.find(({ end }) => physical < end);
    if (part === undefined) return inPlace ? { name: 'free memory', offset: 0 } : undefined;
    const symbol = inPlace ? undefined : this.guest.machine.symbols.nameAt(BigInt(physical));
    return symbol
      ? { name: symbol.name, offset: symbol.offset }
      : { name: part.name, offset: physical - this.guest.ramStart };
  }
}
