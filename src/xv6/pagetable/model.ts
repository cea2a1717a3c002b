/** The kernel's page table as the model makes it for a kernel, in the same form as the kernel's own. */
import { BadInputError } from '../../machine/errors.js';
import { PAGE_BYTES } from '../../sv39/pte.js';
import type { Guest } from '../guest.js';
import {
  deviceRegion,
  type KernelRegion,
  kernelStack,
  makeKernelTable,
  memoryRegions,
} from '../model/kernel-layout.js';
import { roundDown, roundUp, SparseMemory } from '../model/memory.js';
import { PageTables, SV39 } from '../model/page-table.js';
import { type Dump, dumpTable, KERNEL, type PhysicalNames, type Row, allRuns } from './dump.js';

/** Devices that every kernel of this family needs. Which others it maps is its own choice, how is not. */
const REQUIRED_DEVICES = ['uart', 'virtio0', 'plic'];

/**
 * What the table of a kernel should be that has the parts, the devices, as much memory and as many stacks as this one.
 * Throws BadInputError for a kernel whose parts are not known.
 */
export function modelOf(guest: Guest, names: PhysicalNames, kernel: Dump): Dump {
  const [textEnd, trampoline, end] = ['etext', 'trampoline', 'end'].map((name) => guest.address(name));
  if (textEnd === undefined || trampoline === undefined || end === undefined)
    throw new BadInputError(
      'the model needs the symbols etext, trampoline and end, and the kernel has not all of them',
    );
  const inPlace = kernel.rows.filter(({ target }) => target.kind === 'in-place');
  const memory = inPlace.filter(({ start }) => guest.isRam(start));
  const regions = [
    ...memoryRegions({
      textStart: guest.ramStart,
      textEnd: roundDown(textEnd),
      memoryEnd: memory.at(-1)?.end ?? guest.ramEnd,
      trampoline,
    }),
    ...devicesOf(
      guest,
      inPlace.filter(({ start }) => !guest.isRam(start)),
    ),
  ];
  // As many as it takes, from frames that nothing else names.
  let next = roundUp(end);
  const frames = { allocate: () => (next += PAGE_BYTES), free: () => {} };
  const model = new SparseMemory();
  const root = makeKernelTable(new PageTables(SV39, model, frames), frames, regions, stacksOf(kernel));
  return dumpTable(model, root, KERNEL, names);
}

function devicesOf(guest: Guest, rows: readonly Row[]): KernelRegion[] {
  const mapped = rows.map(({ name, start, end }) => deviceRegion(name, start, end - start));
  const missing = REQUIRED_DEVICES.filter((name) => rows.every((row) => row.name !== name));
  const { map } = guest.machine.board;
  return [
    ...mapped,
    ...missing.map((name) => deviceRegion(name, map.named(name).base, roundUp(map.named(name).size))),
  ];
}

/**
 * The addresses of as many stacks, each above a page that is not mapped. How far below the trampoline the topmost lies is
 * the kernel's choice: the labs on page tables leave a page more there.
 */
function stacksOf({ rows }: Dump): number[] {
  const stacks = allRuns(rows.filter(({ name }) => name === 'kernel stack'));
  if (stacks.length === 0) return [];
  const top = Math.min(kernelStack(0), stacks.at(-1)!.end - PAGE_BYTES);
  const slots = Math.floor((top - stacks[0].start) / (2 * PAGE_BYTES)) + 1;
  return Array.from({ length: slots }, (_, slot) => top - slot * 2 * PAGE_BYTES);
}
