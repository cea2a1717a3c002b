/** How much of everything the benchmark does. */
import type { Guest } from './simulators.js';

/** The kinds of calls that images/user/calls.c makes, in words. */
export const CALLS = {
  syscall: 'system call',
  fork: 'fork, exit, wait',
  exec: 'fork, exec, exit, wait',
  pipe: 'byte to another process and back by pipes',
  file: 'file created, written, deleted',
} as const;
export type CallName = keyof typeof CALLS;

/** How much is done. Where no number of rounds or calls is given, the guest's program decides: a second or two under QEMU. */
export interface Plan {
  readonly runs: number;
  readonly xv6?: Guest;
  readonly bootHarts: readonly number[];
  readonly programs: readonly { readonly name: string; readonly rounds?: number }[];
  readonly calls: readonly { readonly name: CallName; readonly count: number }[];
  /** Rounds that the interpreter and QEMU get of each program whose speed is given in instructions. */
  readonly interpreter: {
    readonly programs: readonly string[];
    readonly rounds: number;
    readonly qemuRounds: number;
  };
  /** What is run with and without the checker, by the teaching kernel and by xv6. */
  readonly checked: { readonly teachingKernel: readonly string[]; readonly xv6: readonly string[] };
  /** Harts with which usertests is run; it takes minutes. */
  readonly usertestsHarts: readonly number[];
}

/** The programs of images/bench/programs. */
const PROGRAMS = ['loop', 'sieve', 'quicksort', 'radixsort', 'towers', 'crc', 'matrix', 'records'];

export const FULL_PLAN: Plan = {
  runs: 3,
  bootHarts: [1, 3],
  programs: PROGRAMS.map((name) => ({ name })),
  calls: [
    { name: 'syscall', count: 100_000 },
    { name: 'fork', count: 1000 },
    { name: 'exec', count: 500 },
    { name: 'pipe', count: 5000 },
    { name: 'file', count: 50 },
  ],
  interpreter: { programs: ['loop', 'records'], rounds: 10, qemuRounds: 300 },
  checked: {
    teachingKernel: ['fstest', 'forktest', 'memtest', 'kmalloctest', 'mmaptest'],
    xv6: ['usertests createdelete', 'usertests preempt', 'usertests reparent', 'usertests sbrkmuch'],
  },
  usertestsHarts: [],
};

export const QUICK_PLAN: Plan = {
  runs: 1,
  bootHarts: [1],
  programs: [
    { name: 'loop', rounds: 10 },
    { name: 'records', rounds: 5 },
  ],
  calls: [
    { name: 'syscall', count: 2000 },
    { name: 'fork', count: 30 },
    { name: 'exec', count: 20 },
    { name: 'pipe', count: 100 },
    { name: 'file', count: 3 },
  ],
  interpreter: { programs: ['loop'], rounds: 2, qemuRounds: 100 },
  checked: { teachingKernel: ['kmalloctest'], xv6: ['usertests sbrkbasic'] },
  usertestsHarts: [],
};
