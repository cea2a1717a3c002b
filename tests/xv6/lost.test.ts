/** What a fork that fails may keep: nothing, though others may have got by then what it gave back. */
import { expect, it } from 'vitest';
import type { Hart } from '../../src/rv64/hart.js';
import type { Checks } from '../../src/xv6/checks.js';
import type { Event } from '../../src/xv6/finding.js';
import type { FrameRules } from '../../src/xv6/frame-rules.js';
import { LostFrames } from '../../src/xv6/lost.js';
import { type Call, FAILED, type Listener, type Role } from '../../src/xv6/probes.js';

const FRAME = 0x8000_2000;
const hart = {} as Hart;

function kernel() {
  const listeners = new Map<Role, Listener>();
  const allocations = new Map<number, Event>();
  const findings: string[] = [];
  const checks = {
    probes: {
      on: (role: Role, listener: Listener) => listeners.set(role, { ...listeners.get(role), ...listener }),
    },
    reporter: { reportEvent: (_: string, __: Event, message: string) => findings.push(message) },
  };
  const frames = { allocationOf: (frame: number) => allocations.get(frame) };
  new LostFrames(checks as unknown as Checks, frames as unknown as FrameRules);
  let instruction = 0;
  const callOf = (role: Role, caller?: Call): Call => ({
    role,
    entry: 0,
    arguments: [FRAME],
    caller,
    stackPointer: 0,
    returnAddress: 0,
  });
  return {
    findings,
    beginFork(): Call {
      const fork = callOf('fork');
      listeners.get('fork')!.enter!(fork, hart);
      return fork;
    },
    allocate(caller?: Call) {
      allocations.set(FRAME, {
        instruction: ++instruction,
        cycle: 0,
        hart: 0,
        process: undefined,
        stack: [],
      });
      listeners.get('kalloc')!.leave!(callOf('kalloc', caller), hart, FRAME);
    },
    free() {
      listeners.get('kfree')!.enter!(callOf('kfree'), hart);
      allocations.delete(FRAME);
    },
    fail: (fork: Call) => listeners.get('fork')!.leave!(fork, hart, FAILED - 1),
  };
}

it('a frame that fork got and did not give back is lost when it fails', () => {
  const { findings, beginFork, allocate, fail } = kernel();
  const fork = beginFork();
  allocate(fork);
  fail(fork);
  expect(findings).toEqual(['fork failed, and kept frame 0x80002000']);
});

it('a frame that fork gave back may be in use by another process when it fails', () => {
  const { findings, beginFork, allocate, free, fail } = kernel();
  const fork = beginFork();
  allocate(fork);
  free();
  allocate();
  fail(fork);
  expect(findings).toEqual([]);
});
