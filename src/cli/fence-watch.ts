/** `boot --strict-tlb`: tells of missing fences, and of nothing else, while the guest runs. */
import { chalkStderr } from 'chalk';
import { Backtracer } from '../debug/backtrace.js';
import { Places } from '../debug/places.js';
import type { Machine } from '../machine/machine.js';
import { Reporter } from '../xv6/finding.js';
import { Guest } from '../xv6/guest.js';
import { checkFences } from '../xv6/stale-rules.js';
import type { Spectator } from './spectator.js';
import { TextReport } from './check-text.js';
import { say } from './messages.js';

export class FenceWatch implements Spectator {
  readonly showsOutput = true;

  constructor(private readonly kernelPath: string) {}

  attach(machine: Machine, kernel: Uint8Array): void {
    const text = new TextReport(new Places(kernel), this.kernelPath, chalkStderr);
    const tracer = new Backtracer(machine);
    const guest = new Guest(machine, kernel);
    const reporter = new Reporter(
      guest,
      (hart, atEntry) => tracer.of(hart, atEntry),
      () => true,
      (finding) => process.stderr.write(`\n${text.finding(finding)}\n`),
    );
    checkFences(machine, guest, reporter, (what) => say(`not checked: ${what}`));
  }

  ending(): undefined {}
}
