/**
 * The test finisher: how a guest ends the run or restarts the machine (SiFive test device).
 *
 *   0x0   command in bits 15:0, exit code in bits 31:16; reads 0
 *         0x5555 pass, 0x3333 fail with the code, 0x7777 reset; anything else is ignored
 *
 * A half-word store carries the command alone. It is not a store of bytes.
 */

import type { Device, Width } from './device.js';

const PASS = 0x5555;
const FAIL = 0x3333;
const RESET = 0x7777;

export class Finisher implements Device {
  readonly name = 'finisher';
  readonly size = 0x1000;

  /** `onFinish` gets the exit code: 0 for a pass, never 0 for a failure. */
  constructor(
    private readonly onFinish: (code: number) => void,
    private readonly onReset: () => void,
  ) {}

  load(_offset: number, _width: Width): number {
    return 0;
  }

  store(offset: number, width: Width, value: number): void {
    if (offset !== 0 || width === 1) return;
    const command = value & 0xffff;
    if (command === PASS) this.onFinish(0);
    // A failure that gives no code must not look like a pass.
    else if (command === FAIL) this.onFinish(value >>> 16 || 1);
    else if (command === RESET) this.onReset();
  }

  /** The finisher remembers nothing. */
  state(): Record<string, never> {
    return {};
  }

  restore(_state: unknown): void {}
}
