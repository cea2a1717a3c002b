/** The places in code that a user wants to see a guest halted at. */
import type { Hart } from '../../rv64/hart.js';
import type { Breakpoints } from '../breakpoints.js';
import type { Program } from '../programs.js';
import type { Code } from './code.js';

/** What the machine halts at, by the names that the protocol has for the reasons of a stop. */
export type PointKind = 'breakpoint' | 'function breakpoint' | 'instruction breakpoint' | 'exception';

export interface Point {
  /** The same for all the addresses of one breakpoint. */
  readonly id: number;
  readonly kind: PointKind;
  readonly address: bigint;
  /** The code that is meant, as programs lie at the same addresses; undefined for any. */
  readonly program?: Program;
  /** Whether a hart that is there is to be halted; without one each is. */
  readonly condition?: (hart: Hart) => boolean;
}

export class Points {
  /** By who set them: a source file, or a kind. */
  private readonly groups = new Map<string, readonly Point[]>();

  constructor(
    private readonly breakpoints: Breakpoints,
    private readonly code: Code,
  ) {}

  /** Sets the points of a group, in place of those that it had. */
  replace(group: string, points: readonly Point[]): void {
    const before = this.groups.get(group) ?? [];
    this.groups.set(group, points);
    for (const { address } of points) this.breakpoints.add(address);
    for (const { address } of before) this.letGo(address);
  }

  /** Takes the breakpoint at an address away, if no point is there. */
  letGo(address: bigint): void {
    if (!this.all().some((point) => point.address === address)) this.breakpoints.remove(address);
  }

  /** The points that a hart is at. */
  at(hart: Hart): Point[] {
    const pc = BigInt.asUintN(64, hart.pc);
    const here = this.all().filter(({ address }) => address === pc);
    if (here.length === 0) return here;
    const running = this.code.programOn(hart);
    return here.filter(
      ({ program, condition }) =>
        (program === undefined || program === running) && (condition?.(hart) ?? true),
    );
  }

  private all(): Point[] {
    return [...this.groups.values()].flat();
  }
}
