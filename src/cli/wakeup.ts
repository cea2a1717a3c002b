/** Timers hold no more than this many milliseconds; whoever sleeps longer looks around once in between. */
const LONGEST_SLEEP_MILLIS = 1_000_000;

/** Lets a loop sleep until something happens or time is up. What happened before the sleep ends it at once. */
export class Wakeup {
  private happened = false;
  private endSleep: (() => void) | undefined;

  wake(): void {
    this.happened = true;
    this.endSleep?.();
  }

  async sleep(millis: number): Promise<void> {
    if (!this.happened) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(millis, LONGEST_SLEEP_MILLIS));
        this.endSleep = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.happened = false;
    this.endSleep = undefined;
  }
}
