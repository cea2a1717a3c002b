/** Calls of kalloc and kfree that overtake each other, as they do where a process waits between giving a frame back and its return. */
import { expect, it } from 'vitest';
import type { Hart } from '../../src/rv64/hart.js';
import type { Checks } from '../../src/xv6/checks.js';
import { FrameRules } from '../../src/xv6/frame-rules.js';
import type { Call, Listener, Role } from '../../src/xv6/probes.js';

const [RAM, DATA, KERNEL_END, RAM_END] = [0x8000_0000, 0x8000_1000, 0x8000_2000, 0x8001_0000];
const FRAME = KERNEL_END;
const hart = { x: new BigInt64Array(32), words: new Int32Array(64), index: 0 } as unknown as Hart;

/** A kernel that counts the users of its frames, of which it has one, and that is free. */
function kernel() {
  const listeners = new Map<Role, Listener>();
  const findings: string[] = [];
  let isFilled = false;
  const report = (rule: string): void => void findings.push(rule);
  const nothing = (): void => {};
  const checks = {
    guest: {
      ramStart: RAM,
      ramEnd: RAM_END,
      machine: {
        instructionCount: 0,
        watchFrame: nothing,
        unwatchFrame: nothing,
        watchLoadsInPlace: nothing,
        unwatchLoads: nothing,
      },
      address: (name: string) => ({ etext: DATA, end: KERNEL_END })[name],
      isRam: (address: number) => address >= RAM && address < RAM_END,
      isFilled: () => isFilled,
      word: (address: number) => (address === DATA && isFilled ? FRAME : 0),
      processOn: nothing,
    },
    probes: {
      has: () => true,
      on: (role: Role, listener: Listener) => listeners.set(role, { ...listeners.get(role), ...listener }),
    },
    reporter: { report, reportReturn: report, reportCaller: report, stackOf: () => [] },
    tables: { update: nothing, mappingsOf: () => [] },
    locks: { listen: nothing, beginTelling: nothing, endTelling: nothing, of: () => [] },
    notChecked: nothing,
  };
  const frames = new FrameRules(checks as unknown as Checks);
  const begin = (role: Role, ...given: number[]): Call => {
    const call: Call = {
      role,
      entry: 0,
      arguments: given,
      caller: undefined,
      stackPointer: 0,
      returnAddress: 0,
    };
    listeners.get(role)!.enter?.(call, hart);
    return call;
  };
  const kfree = {
    begin: () => begin('kfree', FRAME),
    /** Fills the frame and puts it on the list. */
    give: () => void (isFilled = true),
    end: (call: Call) => listeners.get('kfree')!.leave?.(call, hart, 0),
  };
  const call = kfree.begin();
  kfree.give();
  kfree.end(call);
  return {
    findings,
    frames,
    kfree,
    kalloc: {
      begin: () => begin('kalloc'),
      /** Takes the frame off the list, and begins to fill it. */
      take: () => void (isFilled = false),
      end: (call: Call) => listeners.get('kalloc')!.leave?.(call, hart, FRAME),
    },
  };
}

function allocate({ begin, take, end }: ReturnType<typeof kernel>['kalloc']): void {
  const call = begin();
  take();
  end(call);
}

it('a frame may be given out again before the kfree that gave it back has returned', () => {
  const { findings, frames, kalloc, kfree } = kernel();
  allocate(kalloc);
  const first = kfree.begin();
  kfree.give();
  allocate(kalloc);
  const second = kfree.begin();
  kfree.end(first);
  kfree.give();
  // The second has not returned either.
  allocate(kalloc);
  kfree.end(second);
  expect(findings).toEqual([]);
  expect(frames.isAllocated(FRAME)).toBe(true);
});

it('a frame may be taken before the kfree that gave it back returns, by a kalloc that returns after it', () => {
  const { findings, kalloc, kfree } = kernel();
  allocate(kalloc);
  const freeing = kfree.begin();
  const allocating = kalloc.begin();
  kfree.give();
  kalloc.take();
  kfree.end(freeing);
  kalloc.end(allocating);
  expect(findings).toEqual([]);
  allocate(kalloc);
  expect(findings).toEqual(['frame-handed-out-twice']);
});

it("of two calls that give the same frame back, only the last user's frees it", () => {
  const { findings, frames, kalloc, kfree } = kernel();
  allocate(kalloc);
  const [first, second] = [kfree.begin(), kfree.begin()];
  kfree.end(second);
  expect(frames.isFree(FRAME)).toBe(false);
  kfree.give();
  kfree.end(first);
  expect(frames.isFree(FRAME)).toBe(true);
  allocate(kalloc);
  expect(findings).toEqual([]);
});

it('a frame that is given out twice, and freed twice, is told of', () => {
  const { findings, frames, kalloc, kfree } = kernel();
  allocate(kalloc);
  allocate(kalloc);
  kfree.give();
  kfree.end(kfree.begin());
  kfree.end(kfree.begin());
  expect(findings).toEqual(['frame-handed-out-twice', 'frame-freed-twice']);
  expect(frames.isFree(FRAME)).toBe(true);
});
