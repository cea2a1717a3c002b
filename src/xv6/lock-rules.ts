/** Spinlocks: in which order they are taken, and where they must not be held. Locks of one name are one class. */
import type { Hart } from '../rv64/hart.js';
import type { Checks } from './checks.js';
import { callBefore, callersOf, type Event } from './finding.js';
import type { Held } from './held-locks.js';

/** One lock taken while another was held, when that was first seen. */
interface Edge {
  readonly to: string;
  readonly event: Event;
}

export class LockRules {
  private readonly edges = new Map<string, Edge[]>();

  constructor(private readonly checks: Checks) {
    const { probes, locks, guest } = checks;
    locks.onNewOrder = (lock, held, hart) => this.noteOrders(lock, held, hart);
    // xv6's sched counts the locks itself, and panics without saying which they are.
    const switching = guest.symbol('sched') ? 'schedule' : 'contextSwitch';
    probes.on(switching, { enter: (_, hart) => this.beforeSwitch(hart) });
    probes.on('userReturn', { enter: (_, hart) => this.beforeUser(hart) });
  }

  /**
   * Only two orders of the same two classes are compared. A longer cycle is no proof where many locks share a name: of
   * two processes' locks in it, one may belong to a process that is just being made.
   */
  private noteOrders(lock: number, held: readonly Held[], hart: Hart): void {
    const { locks } = this.checks;
    const inner = locks.nameOf(lock);
    for (const outer of held) {
      const name = locks.nameOf(outer.lock);
      if (name !== inner) this.noteOrder(name, outer.from, inner, hart);
    }
  }

  private noteOrder(outer: string, from: number, inner: string, hart: Hart): void {
    const known = this.edges.get(outer) ?? [];
    if (known.some((edge) => edge.to === inner)) return;
    const { reporter } = this.checks;
    const entered = reporter.eventOf(hart, true);
    const event = { ...entered, stack: callersOf(entered.stack) };
    this.edges.set(outer, [...known, { to: inner, event }]);
    const reverse = this.edges.get(inner)?.find((edge) => edge.to === outer);
    if (reverse === undefined) return;
    const message = `lock "${inner}" is taken while "${outer}" is held; elsewhere they are taken in the other order`;
    reporter.report('lock-order', hart, true, message, {
      history: [
        { what: `"${outer}" taken`, event: { ...event, stack: [callBefore(from)] } },
        { what: `"${outer}" taken while "${inner}" was held`, event: reverse.event },
      ],
    });
  }

  /** One lock is held across a switch: the process's own, which the other side releases. */
  private beforeSwitch(hart: Hart): void {
    const held = this.checks.locks.of(hart);
    if (held.length > 1)
      this.report('lock-across-switch', hart, held, 'the hart switches to another process');
  }

  private beforeUser(hart: Hart): void {
    const held = this.checks.locks.of(hart);
    if (held.length > 0) this.report('lock-held-in-user', hart, held, 'the kernel returns to user mode');
  }

  private report(
    rule: 'lock-across-switch' | 'lock-held-in-user',
    hart: Hart,
    held: readonly Held[],
    what: string,
  ): void {
    const { reporter, locks } = this.checks;
    const event = reporter.eventOf(hart, true);
    const names = held.map((each) => `"${locks.nameOf(each.lock)}"`).join(' and ');
    reporter.report(rule, hart, true, `${what} while it holds ${names}`, {
      history: held.map((each) => ({
        what: `"${locks.nameOf(each.lock)}" taken`,
        event: { ...event, stack: [callBefore(each.from)] },
      })),
    });
  }
}
