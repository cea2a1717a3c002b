/** Frames that were freed while a page table mapped them: by the end of the call that unmaps them, nothing may. */
import type { Hart } from '../rv64/hart.js';
import { PTE_U } from '../sv39/pte.js';
import type { Checks } from './checks.js';
import type { FrameRules } from './frame-rules.js';
import { hex } from './model/errors.js';
import type { Call, Role } from './probes.js';
import type { Mapping } from './tables.js';

/** In these, a frame may be freed just before the entry that maps it is cleared. */
const UNMAPPING: readonly Role[] = [
  'uvmunmap',
  'uvmdealloc',
  'uvmalloc',
  'uvmcopy',
  'freewalk',
  'processFree',
  'munmap',
  'sysMunmap',
  'mmapRelease',
];

/** A frame that was freed while something mapped it: allowed until `until` returns. */
interface StillMapped {
  readonly frame: number;
  readonly until: Call | undefined;
  readonly hart: number;
  /** As they were then: an equal one may be made later, when both frame and table have new owners. */
  readonly mappings: readonly Mapping[];
}

export class FreedMappingRules {
  private stillMapped: StillMapped[] = [];

  constructor(
    private readonly checks: Checks,
    private readonly frames: FrameRules,
  ) {
    const { probes } = checks;
    for (const role of UNMAPPING) {
      probes.on(role, { leave: (call, hart) => this.checkStillMapped(hart, (each) => each.until === call) });
    }
    probes.on('userReturn', {
      enter: (_, hart) =>
        this.checkStillMapped(hart, (each) => each.until === undefined && each.hart === hart.index),
    });
  }

  /** To be called when `hart` has freed a frame, in `call` if that was seen to begin. */
  noteFreed(frame: number, call: Call | undefined, hart: Hart): void {
    const mappings = this.checks.tables.mappingsOf(frame).filter((mapping) => !isMirror(mapping));
    if (mappings.length === 0) return;
    const until = call && unmappingCall(call);
    this.stillMapped.push({ frame, until, hart: hart.index, mappings });
  }

  private checkStillMapped(hart: Hart, isDue: (each: StillMapped) => boolean): void {
    if (this.stillMapped.length === 0) return;
    const { reporter, tables } = this.checks;
    const due = this.stillMapped.filter(isDue);
    if (due.length === 0) return;
    this.stillMapped = this.stillMapped.filter((each) => !isDue(each));
    tables.update();
    for (const { frame, mappings } of due) {
      const left = mappings.find((mapping) => tables.mappingAt(mapping.at) === mapping);
      if (left === undefined) continue;
      const message = `frame ${hex(frame)} was freed, and is still mapped at ${hex(left.address)}`;
      reporter.report('still-mapped', hart, false, message, {
        virtualAddress: left.address,
        physicalAddress: frame,
        entryAfter: left.entry,
        history: [
          ...this.frames.history(frame),
          ...(left.made ? [{ what: 'mapped', event: left.made }] : []),
        ],
      });
    }
  }
}

/**
 * Whether a kernel table maps a user's page for itself, at the user's address. Such a kernel brings its mirror up to
 * date when it pleases, before it next uses it.
 */
const isMirror = ({ entry, address }: Mapping): boolean => (entry & PTE_U) === 0n && address < 2 ** 37;

/** The call by whose end a frame freed in `call` must not be mapped any more: the nearest of uvmunmap, else the outermost. */
function unmappingCall(call: Call): Call | undefined {
  let outermost: Call | undefined;
  for (let each = call.caller; each !== undefined; each = each.caller) {
    if (each.role === 'uvmunmap') return each;
    if (UNMAPPING.includes(each.role)) outermost = each;
  }
  return outermost;
}
