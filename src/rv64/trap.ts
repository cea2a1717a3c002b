/** Traps: causes, privilege modes, interrupt bits, and their names (privileged specification, "mcause" and "mip"). */

export const Mode = { User: 0, Supervisor: 1, Machine: 3 } as const;
export const MODE_NAMES = ['user', 'supervisor', 'reserved', 'machine'] as const;

/** Exception codes. */
export const Cause = {
  FetchMisaligned: 0,
  FetchAccess: 1,
  IllegalInstruction: 2,
  Breakpoint: 3,
  LoadMisaligned: 4,
  LoadAccess: 5,
  StoreMisaligned: 6,
  StoreAccess: 7,
  UserEcall: 8,
  SupervisorEcall: 9,
  MachineEcall: 11,
  FetchPage: 12,
  LoadPage: 13,
  StorePage: 15,
} as const;

/** Interrupt numbers; an interrupt's bit in mip and mie is 1 shifted by it. */
export const Interrupt = {
  SupervisorSoftware: 1,
  MachineSoftware: 3,
  SupervisorTimer: 5,
  MachineTimer: 7,
  SupervisorExternal: 9,
  MachineExternal: 11,
} as const;

/** Highest priority first (privileged specification, "mip and mie"). */
export const INTERRUPT_PRIORITY = [
  Interrupt.MachineExternal,
  Interrupt.MachineSoftware,
  Interrupt.MachineTimer,
  Interrupt.SupervisorExternal,
  Interrupt.SupervisorSoftware,
  Interrupt.SupervisorTimer,
] as const;

/** Top bit of mcause and scause. */
export const INTERRUPT_FLAG = 1n << 63n;

const EXCEPTION_NAMES: Readonly<Record<number, string>> = {
  0: 'instruction address misaligned',
  1: 'instruction access fault',
  2: 'illegal instruction',
  3: 'breakpoint',
  4: 'load address misaligned',
  5: 'load access fault',
  6: 'store/AMO address misaligned',
  7: 'store/AMO access fault',
  8: 'environment call from user mode',
  9: 'environment call from supervisor mode',
  11: 'environment call from machine mode',
  12: 'instruction page fault',
  13: 'load page fault',
  15: 'store/AMO page fault',
};

const INTERRUPT_NAMES: Readonly<Record<number, string>> = {
  1: 'supervisor software interrupt',
  3: 'machine software interrupt',
  5: 'supervisor timer interrupt',
  7: 'machine timer interrupt',
  9: 'supervisor external interrupt',
  11: 'machine external interrupt',
};

/** The words for a value of mcause or scause. */
export function causeName(cause: bigint): string {
  const code = Number(BigInt.asUintN(63, cause));
  const names = BigInt.asUintN(64, cause) & INTERRUPT_FLAG ? INTERRUPT_NAMES : EXCEPTION_NAMES;
  return names[code] ?? `unknown cause ${code}`;
}

/** An exception on its way from the instruction that met it to the hart's loop, which delivers it. */
export class Trap {
  constructor(
    readonly cause: number,
    /** What goes to mtval or stval. */
    readonly value: bigint,
  ) {}
}
