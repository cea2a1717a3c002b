/**
 * Calls of a guest's functions by the role they play, whatever the kernel names them: when each begins, with its
 * arguments, and when it returns, with its result. A call and its return are matched by stack pointer and return
 * address, so it does not matter which hart, or how many processes later, the return happens on.
 */
import { pcOf, registerOf } from '../machine/as-numbers.js';
import { sourceName } from '../machine/symbols.js';
import type { EmitProbe } from '../rv64/emitter.js';
import { immJ } from '../rv64/fields.js';
import type { Hart } from '../rv64/hart.js';
import { PAGE_BYTES } from '../sv39/pte.js';
import type { Guest } from './guest.js';

/** The names that each role goes by, and how many arguments its checks look at. */
export const ROLES = {
  kalloc: { names: ['kalloc'], arguments: 0 },
  kfree: { names: ['kfree'], arguments: 1 },
  freeRange: { names: ['freerange', 'free_range'], arguments: 2 },
  allocatorInit: { names: ['kinit', 'kinit1', 'kinit2', 'boot_alloc_init', 'alloc_init'], arguments: 0 },
  checkFreeList: { names: ['check_free_list'], arguments: 0 },
  walk: { names: ['walk', 'pgdir_walk'], arguments: 3 },
  mappages: { names: ['mappages', 'map_region'], arguments: 5 },
  useKernelTable: { names: ['kvminithart', 'kvm_init_hart'], arguments: 0 },
  uvmalloc: { names: ['uvmalloc'], arguments: 3 },
  uvmdealloc: { names: ['uvmdealloc'], arguments: 3 },
  uvmunmap: { names: ['uvmunmap'], arguments: 4 },
  uvmcopy: { names: ['uvmcopy'], arguments: 3 },
  uvmclear: { names: ['uvmclear'], arguments: 2 },
  freewalk: { names: ['freewalk', 'vm_free'], arguments: 1 },
  copyout: { names: ['copyout'], arguments: 4 },
  userReturn: { names: ['usertrapret', 'prepare_return', 'user_return'], arguments: 0 },
  fork: { names: ['fork', 'kfork'], arguments: 0 },
  processFree: { names: ['freeproc', 'process_free'], arguments: 1 },
  schedule: { names: ['sched'], arguments: 0 },
  contextSwitch: { names: ['swtch', 'switch_context'], arguments: 2 },
  acquire: { names: ['acquire'], arguments: 1 },
  release: { names: ['release'], arguments: 1 },
  kmalloc: { names: ['kmalloc'], arguments: 1 },
  kmfree: { names: ['kmfree'], arguments: 1 },
  mmap: { names: ['mmap'], arguments: 6 },
  munmap: { names: ['munmap'], arguments: 2 },
  // Their arguments are the user's, in the trapframe.
  sysMmap: { names: ['sys_mmap'], arguments: 0 },
  sysMunmap: { names: ['sys_munmap'], arguments: 0 },
  mmapCopy: { names: ['mmap_copy'], arguments: 2 },
  mmapRelease: { names: ['mmap_release'], arguments: 1 },
  fileWrite: { names: ['writei', 'inode_write', 'inode_write_all'], arguments: 3 },
  panic: { names: ['panic'], arguments: 0 },
} as const satisfies Record<string, { names: readonly string[]; arguments: number }>;

export type Role = keyof typeof ROLES;

/** A call that has begun. */
export interface Call {
  readonly role: Role;
  /** Where the function begins. */
  readonly entry: number;
  readonly arguments: readonly number[];
  /** The call of another role that it was made in, on the same stack. */
  readonly caller: Call | undefined;
  readonly stackPointer: number;
  readonly returnAddress: number;
  /** What a rule keeps from the call's beginning to its return. */
  note?: unknown;
}

/** A call whose return nobody listens to is over at once, for `current` and as a caller. */
export interface Listener {
  enter?(call: Call, hart: Hart): void;
  /** `result` is a0 as an unsigned number: -1 is 2^64. */
  leave?(call: Call, hart: Hart, result: number): void;
}

/** The listeners of a role, as calls are told to them. */
interface Audience {
  readonly role: Role;
  /** How many arguments they look at. */
  readonly arguments: number;
  readonly enter: readonly ((call: Call, hart: Hart) => void)[];
  readonly leave: readonly ((call: Call, hart: Hart, result: number) => void)[];
}

interface EntryAction {
  readonly role: Role;
  readonly action: (hart: Hart) => void;
  readonly emit: EmitProbe;
}

/** What -1 is as the result of a call. */
export const FAILED = 2 ** 64;

const RETURN_ADDRESS = 1;
const STACK_POINTER = 2;
const ARGUMENT_0 = 10;

/** jal ra, function. */
const CALL = 0x0ef;
const CALL_MASK = 0xfff;
const CALL_BYTES = 4;

/** Kernel stacks of processes lie up here, one page each; below are the harts' own stacks. */
const PROCESS_STACKS = 2 ** 32;

export class Probes {
  private readonly listeners = new Map<Role, Listener[]>();
  private readonly entryActions: EntryAction[] = [];
  private readonly audiences = new Map<Role, Audience>();
  /** Distances from RAM's beginning of the places that calls return to. */
  private readonly returnsSeen = new Set<number>();
  /** Calls that have not returned, by stack, the outermost first. */
  private readonly pending = new Map<number, Call[]>();

  constructor(private readonly guest: Guest) {}

  /** Hears of the calls of a role. Listeners hear in the order in which they were added. */
  on(role: Role, listener: Listener): void {
    const known = this.listeners.get(role);
    if (known) known.push(listener);
    else this.listeners.set(role, [listener]);
  }

  /** Has `action` called as each call begins, or what `emit` says done: for what is called all the time. */
  onEntry(role: Role, action: (hart: Hart) => void, emit: EmitProbe): void {
    this.entryActions.push({ role, action, emit });
  }

  /** Whether this kernel has a function for a role. */
  has(role: Role): boolean {
    return this.entriesOf(role).length > 0;
  }

  /** Sets the probes for every role that someone listens to; returns those that this kernel has no function for. */
  attach(): Role[] {
    const missing: Role[] = [];
    const awaited = new Set<number>();
    for (const [role, listeners] of this.listeners) {
      const entries = this.entriesOf(role);
      if (entries.length === 0) missing.push(role);
      const audience = audienceOf(role, listeners);
      this.audiences.set(role, audience);
      for (const entry of entries) {
        this.probe(entry, (hart) => this.enter(audience, hart));
        if (audience.leave.length > 0) awaited.add(entry);
      }
    }
    for (const { role, action, emit } of this.entryActions) {
      const entries = this.entriesOf(role);
      if (entries.length === 0) missing.push(role);
      for (const entry of entries) this.probe(entry, action, emit);
    }
    this.watchReturnsFrom(awaited);
    return missing;
  }

  /**
   * Sets the probes where direct calls of these functions return to. Other returns are found as their calls are made; but
   * each probe that is set while the kernel runs costs the translations of its page.
   */
  private watchReturnsFrom(entries: ReadonlySet<number>): void {
    const { guest } = this;
    const end = Math.min(guest.address('etext') ?? guest.ramStart, guest.ramEnd);
    for (let at = guest.ramStart; at + CALL_BYTES <= end; at += 2) {
      const word = guest.word32(at);
      if ((word & CALL_MASK) === CALL && entries.has(at + immJ(word))) this.watchReturn(at + CALL_BYTES);
    }
  }

  /** The innermost call on the stack that a hart is on, of those whose return someone listens to. */
  current(hart: Hart): Call | undefined {
    const stackPointer = registerOf(hart, STACK_POINTER);
    const calls = this.pending.get(stackOf(stackPointer, hart));
    for (let index = (calls?.length ?? 0) - 1; index >= 0; index--) {
      if (calls![index].stackPointer >= stackPointer) return calls![index];
    }
    return undefined;
  }

  /** Addresses of the role's functions. A clone may have lost arguments, so it serves only where few are looked at. */
  private entriesOf(role: Role): number[] {
    const { names, arguments: count } = ROLES[role];
    const found = names.flatMap((name) => {
      const symbol = this.guest.symbol(name);
      const isWhole = symbol?.name === name || (symbol !== undefined && count <= 1 && isClone(symbol.name));
      return symbol && isWhole && symbol.kind !== 'object' ? [Number(symbol.address)] : [];
    });
    return [...new Set(found)];
  }

  private probe(address: number, action: (hart: Hart) => void, emit?: EmitProbe): void {
    this.guest.machine.setProbe(BigInt(address), action, emit);
  }

  private enter(audience: Audience, hart: Hart): void {
    const { role } = audience;
    const stackPointer = registerOf(hart, STACK_POINTER);
    const returnAddress = registerOf(hart, RETURN_ADDRESS);
    const stack = stackOf(stackPointer, hart);
    let calls = this.pending.get(stack);
    if (calls === undefined) this.pending.set(stack, (calls = []));
    dropUnreturned(calls, stackPointer, returnAddress, role);
    const call: Call = {
      role,
      entry: pcOf(hart),
      arguments: argumentsOf(hart, audience.arguments),
      caller: calls.length > 0 ? calls[calls.length - 1] : undefined,
      stackPointer,
      returnAddress,
    };
    if (audience.leave.length > 0) {
      calls.push(call);
      this.watchReturn(returnAddress);
    }
    for (const enter of audience.enter) enter(call, hart);
  }

  private watchReturn(address: number): void {
    if (!this.guest.isRam(address)) return;
    const place = address - this.guest.ramStart;
    if (this.returnsSeen.has(place)) return;
    this.returnsSeen.add(place);
    this.probe(address, (hart) => this.leave(address, hart));
  }

  private leave(address: number, hart: Hart): void {
    const stackPointer = registerOf(hart, STACK_POINTER);
    const calls = this.pending.get(stackOf(stackPointer, hart));
    if (calls === undefined) return;
    while (calls.length > 0 && calls[calls.length - 1].stackPointer < stackPointer) calls.pop();
    const result = registerOf(hart, ARGUMENT_0);
    // More than one where a function ended in a call of another.
    while (calls.length > 0) {
      const call = calls[calls.length - 1];
      if (call.stackPointer !== stackPointer || call.returnAddress !== address) return;
      calls.pop();
      for (const leave of this.audiences.get(call.role)!.leave) leave(call, hart, result);
    }
  }
}

const audienceOf = (role: Role, listeners: readonly Listener[]): Audience => ({
  role,
  arguments: ROLES[role].arguments,
  enter: listeners.flatMap(({ enter }) => enter ?? []),
  leave: listeners.flatMap(({ leave }) => leave ?? []),
});

function argumentsOf(hart: Hart, count: number): number[] {
  const values: number[] = [];
  for (let index = 0; index < count; index++) values.push(registerOf(hart, ARGUMENT_0 + index));
  return values;
}

/** A number for the stack that a stack pointer points into. */
const stackOf = (stackPointer: number, hart: Hart): number =>
  stackPointer < PROCESS_STACKS ? -1 - hart.index : Math.floor((stackPointer - 1) / PAGE_BYTES);

/** Forgets calls that the stack shows to have ended without a return, such as that of a function that gave up the hart for ever. */
function dropUnreturned(calls: Call[], stackPointer: number, returnAddress: number, role: Role): void {
  while (calls.length > 0) {
    const last = calls[calls.length - 1];
    const isTailCall = last.returnAddress === returnAddress && last.role !== role;
    if (last.stackPointer > stackPointer || (last.stackPointer === stackPointer && isTailCall)) return;
    calls.pop();
  }
}

const isClone = (name: string): boolean => sourceName(name) !== name && !/\.(part|cold)/.test(name);
