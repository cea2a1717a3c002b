/** Spinlocks: in which order they are taken, and where they must not be held. Locks of one name are one class. */
import type { Hart } from '../rv64/hart.js';
import type { Checks } from './checks.js';
import type { Event } from './finding.js';
import { hex } from './model/errors.js';
import type { Call } from './probes.js';

/** Offset of the pointer to its name in a lock of this family of kernels: after the word that says it is taken. */
const NAME_OFFSET = 8;
const MAXIMUM_NAME = 32;

interface Held {
  readonly lock: number;
  readonly name: string;
  /** Where acquire was called from. */
  readonly from: number;
}

/** One lock taken while another was held, when that was first seen. */
interface Edge {
  readonly to: string;
  readonly event: Event;
}

export class LockRules {
  private readonly held: Held[][];
  private readonly edges = new Map<string, Edge[]>();
  /** By where they lie, from RAM's beginning. */
  private readonly names = new Map<number, string>();

  constructor(private readonly checks: Checks) {
    const { probes, guest } = checks;
    this.held = guest.machine.harts.map(() => []);
    // Not before acquire returns: an interrupt may still come in before it turns them off.
    probes.on('acquire', { leave: (call, hart) => this.afterAcquire(call, hart) });
    probes.on('release', { enter: (call, hart) => this.beforeRelease(call, hart) });
    probes.on('contextSwitch', { enter: (_, hart) => this.beforeSwitch(hart) });
    probes.on('userReturn', { enter: (_, hart) => this.beforeUser(hart) });
  }

  locksHeld(hart: Hart): number[] {
    return this.held[hart.index].map(({ lock }) => lock);
  }

  private afterAcquire(call: Call, hart: Hart): void {
    const [lock] = call.arguments;
    const held = this.held[hart.index];
    const name = this.nameOf(lock);
    for (const outer of held) {
      if (outer.name !== name) this.noteOrder(outer, name, hart);
    }
    held.push({ lock, name, from: call.returnAddress });
  }

  private beforeRelease(call: Call, hart: Hart): void {
    const held = this.held[hart.index];
    const [lock] = call.arguments;
    for (let index = held.length - 1; index >= 0; index--) {
      if (held[index].lock !== lock) continue;
      if (index === held.length - 1) held.pop();
      else held.splice(index, 1);
      return;
    }
  }

  nameOf(lock: number): string {
    const { guest } = this.checks;
    if (!guest.isRam(lock, NAME_OFFSET + 8)) return hex(lock);
    const pointer = guest.word(lock + NAME_OFFSET);
    if (!guest.isRam(pointer)) return hex(lock);
    let name = this.names.get(pointer - guest.ramStart);
    if (name === undefined) {
      name = guest.text(pointer, MAXIMUM_NAME) || hex(lock);
      this.names.set(pointer - guest.ramStart, name);
    }
    return name;
  }

  /**
   * Only two orders of the same two classes are compared. A longer cycle is no proof where many locks share a name: of
   * two processes' locks in it, one may belong to a process that is just being made.
   */
  private noteOrder(outer: Held, inner: string, hart: Hart): void {
    const known = this.edges.get(outer.name) ?? [];
    if (known.some((edge) => edge.to === inner)) return;
    const { reporter } = this.checks;
    const event = reporter.eventOf(hart, false);
    this.edges.set(outer.name, [...known, { to: inner, event }]);
    const reverse = this.edges.get(inner)?.find((edge) => edge.to === outer.name);
    if (reverse === undefined) return;
    const message = `lock "${inner}" is taken while "${outer.name}" is held; elsewhere they are taken in the other order`;
    reporter.report('lock-order', hart, false, message, {
      history: [
        { what: `"${outer.name}" taken`, event: { ...event, stack: [outer.from] } },
        { what: `"${outer.name}" taken while "${inner}" was held`, event: reverse.event },
      ],
    });
  }

  /** One lock is held across a switch: the process's own, which the other side releases. */
  private beforeSwitch(hart: Hart): void {
    const held = this.held[hart.index];
    if (held.length > 1)
      this.report('lock-across-switch', hart, held, 'the hart switches to another process');
  }

  private beforeUser(hart: Hart): void {
    const held = this.held[hart.index];
    if (held.length > 0) this.report('lock-held-in-user', hart, held, 'the kernel returns to user mode');
  }

  private report(
    rule: 'lock-across-switch' | 'lock-held-in-user',
    hart: Hart,
    held: Held[],
    what: string,
  ): void {
    const { reporter } = this.checks;
    const event = reporter.eventOf(hart, true);
    const names = held.map((each) => `"${each.name}"`).join(' and ');
    reporter.report(rule, hart, true, `${what} while it holds ${names}`, {
      history: held.map((each) => ({
        what: `"${each.name}" taken`,
        event: { ...event, stack: [each.from] },
      })),
    });
  }
}
