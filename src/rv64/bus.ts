/** What a hart's accesses reach outside its own state: the board. */
export interface Bus {
  /** Physical address of the first byte of RAM. */
  readonly ramBase: number;
  /** Reads `bytes` (1, 2, 4 or 8) from a device as an unsigned number; undefined where nothing answers. */
  load(physical: number, bytes: number): bigint | undefined;
  /** Writes to a device; false where nothing answers. */
  store(physical: number, bytes: number, value: bigint): boolean;
}

/** How a hart's cycles and the ticks of the 10 MHz timebase correspond. */
export interface Timebase {
  /** mtime at a cycle count. */
  ticksAt(cycles: number): bigint;
  /** The first cycle count at which mtime is at least `ticks`; Infinity when that is too far to count. */
  cycleAt(ticks: bigint): number;
}
