/** Explains a panic when there is one. Until then it costs nothing: what the explanation needs is put together then. */
import { Chalk, chalkStderr } from 'chalk';
import { Backtracer } from '../debug/backtrace.js';
import { Places } from '../debug/places.js';
import { PostMortem } from '../debug/post-mortem.js';
import type { Machine } from '../machine/machine.js';
import { Guest } from '../xv6/guest.js';
import { TextReport } from './check-text.js';
import { explainPanic, type Witnesses } from './panic-text.js';

export class PanicWatch {
  private readonly postMortem: PostMortem;

  /** `machine` has not run yet; `kernel` is the file at `kernelPath` that it runs. */
  constructor(
    private readonly machine: Machine,
    private readonly kernel: Uint8Array,
    private readonly kernelPath: string,
    private readonly historyOf: Witnesses['historyOf'] = () => [],
  ) {
    this.postMortem = new PostMortem(machine, new Backtracer(machine));
  }

  /** The explanation, in lines; `title` is what the guest said, or what became of it. */
  explain(title: string): string {
    const colour = process.env.NO_COLOR ? new Chalk({ level: 0 }) : chalkStderr;
    const places = new Places(this.kernel);
    const guest = new Guest(this.machine, this.kernel);
    return explainPanic(this.machine, this.postMortem, title, {
      places,
      colour,
      text: new TextReport(places, this.kernelPath, colour),
      processOn: (hart) => guest.processOn(hart),
      historyOf: this.historyOf,
    });
  }
}
