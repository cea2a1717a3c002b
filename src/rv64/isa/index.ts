/** Every instruction the hart knows. */
import type { Row } from '../row.js';
import { rv64a } from './a.js';
import { rv64c } from './c.js';
import { rv64i } from './i.js';
import { rv64m } from './m.js';
import { privileged } from './privileged.js';
import { zicsr } from './zicsr.js';

export const rows: readonly Row[] = [...rv64i, ...rv64m, ...rv64a, ...rv64c, ...zicsr, ...privileged];
