/** The public library: what a program that embeds rvemu may call. */
export { MemoryStore } from './devices/block-store.js';
export { BlockStoreError, SECTOR_BYTES } from './devices/device.js';
export type { BlockStore, ByteSink } from './devices/device.js';
export { CYCLES_PER_SECOND } from './machine/clock.js';
export { BadInputError } from './machine/errors.js';
export { Machine } from './machine/machine.js';
export type { Stop } from './machine/stop.js';
export type { MachineOptions } from './machine/parts.js';
export type { MachineStatistics } from './machine/statistics.js';
export type { Snapshot } from './machine/snapshot.js';
