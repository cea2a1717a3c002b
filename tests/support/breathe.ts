/**
 * Lets a worker's event loop turn after each test. Tests here compute for long without a pause, and a worker that
 * does not answer vitest for a minute counts as lost.
 */
import { afterEach } from 'vitest';

afterEach(() => new Promise((resolve) => setImmediate(resolve)));
