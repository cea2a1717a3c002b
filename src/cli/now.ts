/** Milliseconds on a clock of the host's that only goes forward. Node loads a module for `performance.now`; a boot would wait. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
