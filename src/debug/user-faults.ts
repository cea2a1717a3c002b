/**
 * The exceptions of user programs: most of them a kernel makes good, and some it kills the program for, and says so. By
 * then the process may be gone, so what there is to see is kept of the latest ones.
 */
import { registerOf, pcOf } from '../machine/as-numbers.js';
import type { Machine } from '../machine/machine.js';
import type { Hart } from '../rv64/hart.js';
import { readVirtual } from './address-space.js';
import { type Fault, faultOf } from './fault.js';

export interface UserFault extends Fault {
  /** Some of the program, to know it by, and where that lies. */
  readonly code: { readonly address: bigint; readonly bytes: Uint8Array };
}

const RETURN_ADDRESS = 1;
/** As many as can pass while a kernel's words about one of them are on their way. */
const MOST_KEPT = 64;
/** So much of a program tells it from others, if it is compared at the same address. */
const CODE_BYTES = 64n;

export class UserFaults {
  private readonly latest: UserFault[] = [];

  /** `machine` has not run yet. */
  constructor(private readonly machine: Machine) {
    machine.listenToUserExceptions((hart, cause, value) => this.note(hart, cause, value));
  }

  /** The last exception at a pc that gave stval this value. */
  find(pc: number, value: bigint): UserFault | undefined {
    return this.latest.findLast((fault) => fault.stack[0] === pc && fault.value === value);
  }

  private note(hart: Hart, cause: bigint, value: bigint): void {
    const stack = [pcOf(hart), registerOf(hart, RETURN_ADDRESS)];
    const code = this.codeAt(hart, hart.pc) ?? this.codeAt(hart, hart.x[RETURN_ADDRESS]);
    if (this.latest.length === MOST_KEPT) this.latest.shift();
    this.latest.push({
      ...faultOf(this.machine, hart, cause, value, stack),
      code: code ?? { address: 0n, bytes: new Uint8Array() },
    });
  }

  private codeAt(hart: Hart, place: bigint): UserFault['code'] | undefined {
    const address = place & -CODE_BYTES;
    const bytes = readVirtual(this.machine, hart, address, Number(CODE_BYTES));
    return bytes.length > 0 ? { address, bytes } : undefined;
  }
}
