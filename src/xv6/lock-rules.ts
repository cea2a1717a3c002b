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
  private readonly names = new Map<number, string>();

  constructor(private readonly checks: Checks) {
    const { probes, guest } = checks;
    this.held = guest.machine.harts.map(() => []);
    probes.on('acquire', { leave: (call, hart) => this.afterAcquire(call, hart) });
    probes.on('release', { enter: (call, hart) => this.beforeRelease(call, hart) });
    probes.on('contextSwitch', { enter: (_, hart) => this.beforeSwitch(hart) });
    probes.on('userReturn', { enter: (_, hart) => this.beforeUser(hart) });
  }

  locksHeld(hart: Hart): number {
    return this.held[hart.index].length;
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
    const index = held.findLastIndex((each) => each.lock === call.arguments[0]);
    if (index >= 0) held.splice(index, 1);
  }

  private nameOf(lock: number): string {
    const { guest } = this.checks;
    if (!guest.isRam(lock, NAME_OFFSET + 8)) return hex(lock);
    const pointer = guest.word(lock + NAME_OFFSET);
    let name = this.names.get(pointer);
    if (name === undefined) {
      name = guest.text(pointer, MAXIMUM_NAME) || hex(lock);
      if (guest.isRam(pointer)) this.names.set(pointer, name);
    }
    return name;
  }

  private noteOrder(outer: Held, inner: string, hart: Hart): void {
    const known = this.edges.get(outer.name) ?? [];
    if (known.some((edge) => edge.to === inner)) return;
    const { reporter } = this.checks;
    const event = reporter.eventOf(hart, false);
    const back = this.pathBetween(inner, outer.name);
    this.edges.set(outer.name, [...known, { to: inner, event }]);
    if (back === undefined) return;
    const order = [inner, ...back.map((edge) => edge.to)].join(', then ');
    reporter.report(
      'lock-order',
      hart,
      false,
      `lock "${inner}" is taken while "${outer.name}" is held; elsewhere the order is ${order}`,
      {
        history: [
          { what: `"${outer.name}" taken`, event: { ...event, stack: [outer.from] } },
          ...back.map((edge) => ({ what: `"${edge.to}" taken in the other order`, event: edge.event })),
        ],
      },
    );
  }

  /** Orders seen that lead from one class of locks to another, if there are any. */
  private pathBetween(from: string, to: string, visited = new Set<string>()): Edge[] | undefined {
    visited.add(from);
    for (const edge of this.edges.get(from) ?? []) {
      if (edge.to === to) return [edge];
      const rest = visited.has(edge.to) ? undefined : this.pathBetween(edge.to, to, visited);
      if (rest) return [edge, ...rest];
    }
    return undefined;
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
