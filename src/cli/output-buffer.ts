/** Gathers what the guest's serial port transmits until the host has time for it. */
export class OutputBuffer {
  private bytes = new Uint8Array(4096);
  private length = 0;

  readonly sink = (byte: number): void => {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = byte;
  };

  /** What was transmitted since the last call. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }
}
