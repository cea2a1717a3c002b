/** Spinlocks: in which order they are taken, and where they must not be held. Locks of one name are one class. */
import { registerOf } from '../machine/as-numbers.js';
import { RAM_BASE } from '../machine/memory-map.js';
import type { Hart } from '../rv64/hart.js';
import type { Checks } from './checks.js';
import type { Event } from './finding.js';
import { hex } from './model/errors.js';

/** Offset of the pointer to its name in a lock of this family of kernels: after the word that says it is taken. */
const NAME_OFFSET = 8;
const MAXIMUM_NAME = 32;
/** Where a lock may have a pointer to its holder: after the name, whatever a lab has put in between. */
const HOLDER_OFFSETS = [16, 24, 32, 40, 48];

/** A power of two. */
const KNOWN_PAIRS = 4096;

const RETURN_ADDRESS = 1;
const ARGUMENT_0 = 10;

interface Held {
  readonly lock: number;
  /** Where its name lies, or else it itself. */
  readonly kind: number;
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

  private readonly knownPairs = new Float64Array(KNOWN_PAIRS);
  private readonly imageEnd: number;
  /** Where a lock of this kernel says which hart has it; undefined until that is known, and where none does. */
  private holderOffset: number | undefined;

  constructor(private readonly checks: Checks) {
    const { probes, guest } = checks;
    this.held = guest.machine.harts.map(() => []);
    this.imageEnd = guest.address('end') ?? 0;
    probes.onEntry('acquire', (hart) => this.beforeAcquire(hart));
    probes.onEntry('release', (hart) => this.beforeRelease(hart));
    probes.on('contextSwitch', { enter: (_, hart) => this.beforeSwitch(hart) });
    probes.on('userReturn', { enter: (_, hart) => this.beforeUser(hart) });
  }

  locksHeld(hart: Hart): number[] {
    return this.heldBy(hart).map(({ lock }) => lock);
  }

  private beforeAcquire(hart: Hart): void {
    const lock = registerOf(hart, ARGUMENT_0);
    const kind = this.kindOf(lock);
    const held = this.held[hart.index];
    for (let index = 0; index < held.length; index++) {
      if (this.isKnown(held[index].kind, kind)) continue;
      this.noteOrders(lock, kind, hart);
      break;
    }
    this.held[hart.index].push({ lock, kind, from: registerOf(hart, RETURN_ADDRESS) });
  }

  private beforeRelease(hart: Hart): void {
    const held = this.held[hart.index];
    const lock = registerOf(hart, ARGUMENT_0);
    this.holderOffset ??= this.findHolder(lock, hart);
    for (let index = held.length - 1; index >= 0; index--) {
      if (held[index].lock !== lock) continue;
      if (index === held.length - 1) held.pop();
      else held.splice(index, 1);
      return;
    }
  }

  /** A lock that is about to be released says who has it by the address of that hart's struct cpu. */
  private findHolder(lock: number, hart: Hart): number | undefined {
    const { guest } = this.checks;
    const cpu = guest.cpuAddress(hart);
    return HOLDER_OFFSETS.find(
      (offset) => guest.isRam(lock + offset, 8) && guest.word(lock + offset) === cpu,
    );
  }

  /**
   * The locks that a hart has. Not all that it began to acquire: an interrupt may come in before acquire turns them off,
   * and the process go on elsewhere.
   */
  private heldBy(hart: Hart): readonly Held[] {
    const { holderOffset } = this;
    const { guest } = this.checks;
    if (holderOffset === undefined || this.held[hart.index].length === 0) return this.held[hart.index];
    const cpu = guest.cpuAddress(hart);
    return (this.held[hart.index] = this.held[hart.index].filter(
      ({ lock }) => guest.word(lock + holderOffset) === cpu,
    ));
  }

  private kindOf(lock: number): number {
    const { guest } = this.checks;
    if (!guest.isRam(lock, NAME_OFFSET + 8)) return lock;
    const pointer = guest.word(lock + NAME_OFFSET);
    return guest.isRam(pointer) ? pointer : lock;
  }

  nameOf(lock: number): string {
    const { guest } = this.checks;
    const pointer = this.kindOf(lock);
    if (pointer === lock) return hex(lock);
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
  private noteOrders(lock: number, kind: number, hart: Hart): void {
    const inner = this.nameOf(lock);
    for (const outer of this.heldBy(hart)) {
      const name = this.nameOf(outer.lock);
      if (name !== inner) this.noteOrder(name, outer.from, inner, hart);
      this.knownPairs[this.slotOf(outer.kind, kind)] = pairOf(outer.kind, kind);
    }
  }

  /** Whether the order of two kinds is one of those noted last. Most are taken in the same order again and again. */
  private isKnown(outer: number, inner: number): boolean {
    // Names beyond the kernel's own data come and go with the frames they lie in.
    if (outer >= this.imageEnd || inner >= this.imageEnd) return false;
    return this.knownPairs[this.slotOf(outer, inner)] === pairOf(outer, inner);
  }

  private slotOf(outer: number, inner: number): number {
    return ((outer >>> 3) * 31 + (inner >>> 3)) & (KNOWN_PAIRS - 1);
  }

  private noteOrder(outer: string, from: number, inner: string, hart: Hart): void {
    const known = this.edges.get(outer) ?? [];
    if (known.some((edge) => edge.to === inner)) return;
    const { reporter } = this.checks;
    const event = reporter.eventOf(hart, true);
    this.edges.set(outer, [...known, { to: inner, event }]);
    const reverse = this.edges.get(inner)?.find((edge) => edge.to === outer);
    if (reverse === undefined) return;
    const message = `lock "${inner}" is taken while "${outer}" is held; elsewhere they are taken in the other order`;
    reporter.report('lock-order', hart, true, message, {
      history: [
        { what: `"${outer}" taken`, event: { ...event, stack: [from] } },
        { what: `"${outer}" taken while "${inner}" was held`, event: reverse.event },
      ],
    });
  }

  /** One lock is held across a switch: the process's own, which the other side releases. */
  private beforeSwitch(hart: Hart): void {
    const held = this.heldBy(hart);
    if (held.length > 1)
      this.report('lock-across-switch', hart, held, 'the hart switches to another process');
  }

  private beforeUser(hart: Hart): void {
    const held = this.heldBy(hart);
    if (held.length > 0) this.report('lock-held-in-user', hart, held, 'the kernel returns to user mode');
  }

  private report(
    rule: 'lock-across-switch' | 'lock-held-in-user',
    hart: Hart,
    held: readonly Held[],
    what: string,
  ): void {
    const { reporter } = this.checks;
    const event = reporter.eventOf(hart, true);
    const names = held.map((each) => `"${this.nameOf(each.lock)}"`).join(' and ');
    reporter.report(rule, hart, true, `${what} while it holds ${names}`, {
      history: held.map((each) => ({
        what: `"${this.nameOf(each.lock)}" taken`,
        event: { ...event, stack: [each.from] },
      })),
    });
  }
}

/** A number for two kinds of a kernel of up to 16 MiB, another for any other two. */
const pairOf = (outer: number, inner: number): number => (outer - RAM_BASE) * 2 ** 24 + (inner - RAM_BASE);
