/** Every CSR, and how instructions, tests and debuggers find one. */
import { counterCsrs } from './counters.js';
import type { Csr } from './csr.js';
import { machineCsrs } from './machine.js';
import { pmpCsrs } from './pmp.js';
import { supervisorCsrs } from './supervisor.js';

export const csrs: readonly Csr[] = [...machineCsrs, ...supervisorCsrs, ...counterCsrs, ...pmpCsrs];

export const csrByNumber: ReadonlyMap<number, Csr> = new Map(csrs.map((csr) => [csr.number, csr]));
export const csrByName: ReadonlyMap<string, Csr> = new Map(csrs.map((csr) => [csr.name, csr]));
