/** One line at the bottom of a terminal that says how far a run is, and makes way for everything else. */

/** Often enough to look alive. */
const INTERVAL_MILLIS = 250;
const ERASE_LINE = '\r\x1b[K';

export class ProgressLine {
  private shownAt = -Infinity;
  private isShown = false;

  /** `text` gives the line as it is now; `now` is a clock in milliseconds. */
  constructor(
    private readonly terminal: { write(text: string): unknown; readonly columns?: number },
    private readonly text: () => string,
    private readonly now: () => number,
  ) {}

  /** Brings the line up to date, if that was not done a moment ago. */
  show(): void {
    if (this.now() < this.shownAt + INTERVAL_MILLIS) return;
    this.shownAt = this.now();
    this.isShown = true;
    // The last column stays free: a terminal would begin a new line after it.
    this.terminal.write(ERASE_LINE + this.text().slice(0, (this.terminal.columns || 80) - 1));
  }

  /** Takes the line away, for something else to be written there. */
  clear(): void {
    if (this.isShown) this.terminal.write(ERASE_LINE);
    this.isShown = false;
    this.shownAt = -Infinity;
  }
}
