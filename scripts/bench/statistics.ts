/** The arithmetic of the benchmark. */

/** The middle value, or the mean of the two in the middle. Throws RangeError for no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values have no median');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The mean for ratios: twice as fast here and half as fast there is 1. Throws RangeError for no values. */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values have no mean');
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/**
 * Takes `runs` measurements of each contestant in turn, A B A B …, so that a machine that gets slower or faster meanwhile
 * does so for all. Returns each one's measurements in order.
 */
export async function inTurn<T>(runs: number, contestants: readonly (() => Promise<T>)[]): Promise<T[][]> {
  const measured: T[][] = contestants.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, measure] of contestants.entries()) measured[index].push(await measure());
  }
  return measured;
}
