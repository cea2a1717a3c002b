/** What a hart is doing, in words: for messages when a run ends other than it should. */
import { Slot } from '../rv64/csr/bits.js';
import type { Hart } from '../rv64/hart.js';
import type { EndlessTrap } from '../rv64/traps.js';
import { Cause, causeName, Mode, MODE_NAMES } from '../rv64/trap.js';
import { RAM_BASE } from './memory-map.js';
import type { SymbolTable } from './symbols.js';

const hex = (value: bigint): string => '0x' + BigInt.asUintN(64, value).toString(16);

/** An address with the symbol it lies in, where there is one. */
const place = (address: bigint, symbols: SymbolTable): string => {
  const name = symbols.describe(BigInt.asUintN(64, address));
  return name === hex(address) ? name : `${hex(address)} (${name})`;
};

/** A few lines: where the hart is, in which mode, and the trap that each mode took last. */
export function describeHart(hart: Hart, symbols: SymbolTable): string {
  const { csr } = hart;
  const waiting = hart.isIdle ? ', waiting for an interrupt' : '';
  const lines = [
    `hart ${hart.index}: pc ${place(hart.pc, symbols)}, ${MODE_NAMES[hart.mode]} mode${waiting}`,
  ];
  const trap = (to: string, cause: bigint, pc: bigint, value: bigint): void => {
    // 0 is the value after reset; as a cause it cannot happen where instructions may be compressed.
    if (cause === 0n) return;
    lines.push(`  last trap to ${to}: ${describeTrap(cause, value)} at ${place(pc, symbols)}`);
  };
  trap('machine mode', csr[Slot.mcause], csr[Slot.mepc], csr[Slot.mtval]);
  trap('supervisor mode', csr[Slot.scause], csr[Slot.sepc], csr[Slot.stval]);
  return lines.join('\n');
}

/** A cause with its trap value, and what an illegal instruction would have been. */
export function describeTrap(cause: bigint, value: bigint): string {
  const name = causeName(cause);
  if (cause < 0n) return name;
  if (cause === BigInt(Cause.IllegalInstruction)) {
    const floating = isFloatingPoint(Number(value & 0xffff_ffffn))
      ? ', a floating-point one: this machine has no F and D'
      : '';
    return `${name} ${hex(value)}${floating}`;
  }
  return value === 0n ? name : `${name}, trap value ${hex(value)}`;
}

/** Whether an instruction belongs to F or D (unprivileged specification, "RV32/64G Instruction Set Listings"). */
function isFloatingPoint(word: number): boolean {
  if ((word & 3) !== 3) {
    const funct3 = (word >>> 13) & 7;
    return (word & 1) === 0 && (funct3 === 1 || funct3 === 5);
  }
  const opcode = word & 0x7f;
  return [0x07, 0x27, 0x43, 0x47, 0x4b, 0x4f, 0x53].includes(opcode);
}

/** A sentence about a hart that traps in its own trap handler for ever. */
export function explainEndlessTrap(hart: Hart, trap: EndlessTrap, symbols: SymbolTable): string {
  const why = isDeniedMemory(hart, trap)
    ? '; physical memory protection is on, does pmpaddr0 cover all of memory?'
    : trap.handler === 0n
      ? `; is there a handler yet? ${hart.mode === Mode.Machine ? 'mtvec' : 'stvec'} is 0`
      : '';
  return (
    `hart ${hart.index} traps in its own trap handler for ever: ${describeTrap(trap.cause, trap.value)} ` +
    `at pc ${place(trap.pc, symbols)}, handler at ${place(trap.handler, symbols)}${why}`
  );
}

/** Whether a hart that got an access fault is kept from memory, which begins where kernels do. */
function isDeniedMemory({ mode, pmp }: Hart, { cause }: EndlessTrap): boolean {
  const accessFaults = [Cause.FetchAccess, Cause.LoadAccess, Cause.StoreAccess].map(BigInt);
  return accessFaults.includes(cause) && mode !== Mode.Machine && !pmp.allows(RAM_BASE, 4, 'execute', mode);
}
