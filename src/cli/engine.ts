/**
 * What the command asks of V8. Regions of translated code look at their fuel in every block and so return often enough;
 * V8's own looks at its stack in every loop, for ends that they never need, cost up to a tenth of their time.
 */
import { setFlagsFromString } from 'node:v8';

/** To be called before anything is compiled, for code that V8 has cached is only good under the same flags. */
export function setUpEngine(): void {
  setFlagsFromString('--no-wasm-stack-checks');
}
