/** A line that grows beyond this keeps only its end, so that a guest printing no newline costs no memory. */
const MAXIMUM_LINE_LENGTH = 64 * 1024;

/** What the guest prints, as lines of text. Bytes that are not UTF-8 become U+FFFD. */
export class Transcript {
  private readonly decoder = new TextDecoder();
  private line = '';
  private last = '';

  /** The unfinished line: what was printed since the last newline, or since `startLine`. */
  get currentLine(): string {
    return this.line;
  }

  /** The last line with anything on it, finished or not; '' when nothing was printed yet. */
  get lastLine(): string {
    return this.line.trim() === '' ? this.last : this.line;
  }

  /** Takes what the guest printed next and returns the lines that it finished, without their line ends. */
  feed(bytes: Uint8Array): string[] {
    const finished = (this.line + this.decoder.decode(bytes, { stream: true })).split('\n');
    this.line = finished.pop()!.slice(-MAXIMUM_LINE_LENGTH);
    const lines = finished.map((line) => line.replace(/\r$/, ''));
    this.last = lines.findLast((line) => line.trim() !== '') ?? this.last;
    return lines;
  }

  /** Begins a new line though the guest printed no newline, as when something was typed at its prompt. */
  startLine(): void {
    this.last = this.lastLine;
    this.line = '';
  }
}
