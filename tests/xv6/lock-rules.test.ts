import { describe, expect, it } from 'vitest';
import type { Hart } from '../../src/rv64/hart.js';
import type { Checks } from '../../src/xv6/checks.js';
import { LockRules } from '../../src/xv6/lock-rules.js';
import type { Call, Listener, Role } from '../../src/xv6/probes.js';

/** The rules on a kernel with functions for some roles, and what they report when a hart with two locks calls these. */
function reportedBy(symbols: readonly string[], called: readonly Role[]): string[] {
  const listeners = new Map<Role, Listener>();
  const reported: string[] = [];
  const held = [
    { lock: 8, from: 0 },
    { lock: 16, from: 4 },
  ];
  const checks = {
    probes: { on: (role: Role, listener: Listener) => listeners.set(role, listener) },
    guest: { symbol: (name: string) => symbols.find((each) => each === name) },
    locks: { of: () => held, nameOf: (lock: number) => `lock ${lock}` },
    reporter: {
      eventOf: () => ({}),
      report: (rule: string, _: Hart, __: boolean, message: string) => reported.push(`${rule}: ${message}`),
    },
  };
  new LockRules(checks as unknown as Checks);
  for (const role of called) listeners.get(role)?.enter?.({} as Call, {} as Hart);
  return reported;
}

describe('a lock held across a switch', () => {
  const finding =
    'lock-across-switch: the hart switches to another process while it holds "lock 8" and "lock 16"';

  it('is told of by name before sched panics for it', () => {
    expect(reportedBy(['sched', 'swtch'], ['schedule'])).toEqual([finding]);
  });

  it('is told of once where sched goes on', () => {
    expect(reportedBy(['sched', 'swtch'], ['schedule', 'contextSwitch'])).toEqual([finding]);
  });

  it('is told of at the switch where there is no sched', () => {
    expect(reportedBy(['swtch'], ['contextSwitch'])).toEqual([finding]);
  });
});
