/** The public library: what a program that embeds rvemu may call. */
export { BlockStoreError, SECTOR_BYTES } from './devices/device.js';
export type { BlockStore, ByteSink } from './devices/device.js';
