/** What both sides of a recording go by: see recording.ts. */
import { createHash } from 'node:crypto';

/** Changes whenever the meaning of a recording does. */
export const VERSION = 2;
export const FORMAT = 'rvemu recording';

export const sha256 = (contents: Uint8Array): string => createHash('sha256').update(contents).digest('hex');
