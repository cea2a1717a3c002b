/** Lets out what the guest transmits once, however often that part of its run is gone through. */
import type { ByteSink } from '../../devices/device.js';

export class OutputGate {
  /** Bytes transmitted from the beginning of the run up to where it is. */
  position = 0;
  /** How many of them were let out. */
  private passed = 0;

  constructor(private readonly output: ByteSink) {}

  /** For the machine's serial port. */
  readonly sink: ByteSink = (byte) => {
    if (this.position++ < this.passed) return;
    this.passed = this.position;
    this.output(byte);
  };

  /** What comes from now on is new, even where the run was further once. */
  open(): void {
    this.passed = this.position;
  }
}
