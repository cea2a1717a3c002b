/** Follows the code of a function from its entry on, translates its instructions and cuts them into basic blocks. */
import type { SetProbe } from '../code-page.js';
import { immI, immU, rd, rs1 } from '../fields.js';
import { idiomFor } from './idioms.js';
import type { Flow } from './instruction-emitter.js';
import type { Block, Callee, Instruction, Legal, Target } from './blocks.js';
import type { Templates } from './templates.js';

/** Longer regions gain little and take long to compile. */
const MAX_INSTRUCTIONS = 100;
/** The longest function of another page that is copied into a region: longer ones gain less and take long to compile. */
const MAX_COPIED = 16;
/** How far away it may lie: see packAt. */
const MAX_DISTANCE = 2 ** 22;

/** Code by its distance from the beginning of a region's page. */
export interface Source {
  at(offset: number): Legal | undefined;
  probeAt(offset: number): SetProbe | undefined;
  /** Whether a call of what is there is followed. */
  isCalled(offset: number): boolean;
  /** What has been translated there, on another page; a call of it may become a copy. */
  calleeAt(offset: number): Callee | undefined;
}

/** What all the functions in a region have in common. */
export interface Shared {
  readonly templates: Templates;
  /** How many instructions there are so far, and what they use: see Template. */
  instructions: number;
  used: number;
  written: number;
  usesMemory: boolean;
}

export class Finder {
  readonly instructions = new Map<number, Instruction>();
  readonly decoded = new Map<number, Legal>();
  /**
   * Where blocks begin besides the entry. That one cuts no block unless something jumps to it: a slice may begin anywhere,
   * and a loop that is entered in its middle must still be found to be a fill.
   */
  private readonly leaders = new Set<number>();
  /** What calls within the code return to. */
  private readonly returns = new Set<number>();
  /** Where indirect jumps lead to that have their address from the instruction before them. */
  private readonly likely = new Map<number, number>();
  /** Copies of functions of other pages, by the place that each returns to. */
  private readonly copies = new Map<number, { readonly finder: Finder; readonly guard: number }>();
  /** The number of the block that begins at each place. */
  private readonly numbers = new Map<number, number>();

  constructor(
    private readonly source: Source,
    private readonly entry: number,
    private readonly shared: Shared,
  ) {}

  /** Translates what can be reached from the entry, nearest first. */
  explore(): void {
    this.exploreFrom(this.entry);
    for (const leader of this.leaders) this.exploreFrom(leader);
  }

  private exploreFrom(leader: number): void {
    let offset = leader;
    let before: number | undefined;
    while (this.shared.instructions < MAX_INSTRUCTIONS) {
      if (this.instructions.has(offset)) {
        // Another block has come this way; here it is cut in two.
        if (offset !== this.entry) this.leaders.add(offset);
        return;
      }
      const instruction = this.translate(offset);
      if (instruction === undefined) return;
      const { bytes, flow } = instruction.template;
      if (flow) return this.noteLeaders(flow, offset, before);
      before = offset;
      offset += bytes;
    }
  }

  private translate(offset: number): Instruction | undefined {
    const { source, shared } = this;
    const legal = source.at(offset);
    const probe = source.probeAt(offset);
    if (legal === undefined || (probe && !probe.emit)) return undefined;
    const template = shared.templates.of(legal, probe?.emit);
    // It may be left to the interpreter, which would call the probe after the probe's translation has done its part.
    if (probe && template.touchesMemory) return undefined;
    const instruction = { offset, template };
    this.instructions.set(offset, instruction);
    this.decoded.set(offset, legal);
    shared.instructions++;
    shared.used |= template.used;
    shared.written |= template.written;
    shared.usesMemory ||= template.touchesMemory;
    return instruction;
  }

  /** Notes where blocks begin that an instruction leads to which comes after another one, or begins a block. */
  private noteLeaders(flow: Flow, offset: number, before: number | undefined): void {
    const next = this.after(offset);
    if (flow.kind === 'branch') this.leaders.add(next).add(offset + flow.distance);
    if (flow.kind === 'jump') this.leaders.add(offset + flow.distance);
    if (flow.kind === 'call') this.noteCall(offset + flow.distance, next);
    const likely = before === undefined ? undefined : this.likelyTarget(before, offset);
    if (flow.kind !== 'indirect' || likely === undefined) return;
    this.likely.set(offset, likely);
    if (flow.isCall) this.noteCall(likely, next);
    else this.leaders.add(likely);
  }

  /** Where an instruction jumps to whose address the one before it computes: compilers make calls of such pairs. */
  private likelyTarget(before: number, offset: number): number | undefined {
    const first = this.decoded.get(before)!;
    const { row, word } = this.decoded.get(offset)!;
    const isPair = row.name === 'jalr' && first.row.name === 'auipc' && rd(first.word) === rs1(word);
    return isPair && rs1(word) !== 0 ? (before + immU(first.word) + immI(word)) & ~1 : undefined;
  }

  /** The place of the next instruction. */
  private after(offset: number): number {
    return offset + this.instructions.get(offset)!.template.bytes;
  }

  private noteCall(to: number, next: number): void {
    if (this.source.isCalled(to)) {
      this.leaders.add(to).add(next);
      this.returns.add(next);
    } else if (this.copy(to, next)) this.leaders.add(next);
  }

  /** Makes a copy of the function of another page that is called, if that is worth it. */
  private copy(to: number, next: number): boolean {
    const callee = Math.abs(to) < MAX_DISTANCE ? this.source.calleeAt(to) : undefined;
    if (callee === undefined || callee.hasProbes || callee.decoded.size > MAX_COPIED) return false;
    const page = to & ~0xfff;
    const source: Source = {
      at: (offset) => callee.decoded.get(offset - page),
      probeAt: () => undefined,
      isCalled: (offset) => callee.decoded.has(offset - page),
      calleeAt: () => undefined,
    };
    const finder = new Finder(source, to, this.shared);
    finder.explore();
    if (!finder.instructions.has(to)) return false;
    this.copies.set(next, { finder, guard: callee.index });
    return true;
  }

  // ---- blocks ---------------------------------------------------------------------------------------------

  /** Numbers the blocks, from `first` on; returns the number after the last. */
  number(first: number): number {
    let number = first;
    for (const start of [this.entry, ...this.leaders]) {
      if (this.instructions.has(start) && !this.numbers.has(start)) this.numbers.set(start, number++);
    }
    for (const { finder } of this.copies.values()) number = finder.number(number);
    return number;
  }

  /** The blocks in the order of their numbers. A copy has its guard, and a place in the region that it returns to. */
  blocks(guard?: number, caller?: Target): Block[] {
    const own = [...this.numbers.keys()].map((start) => this.block(start, guard, caller));
    const copies = [...this.copies].map(([next, copy]) => copy.finder.blocks(copy.guard, this.target(next)));
    return [...own, ...copies.flat()];
  }

  private block(start: number, guardOfEntry: number | undefined, caller: Target | undefined): Block {
    const guard = start === this.entry ? guardOfEntry : undefined;
    const instructions: Instruction[] = [];
    let offset = start;
    for (;;) {
      const instruction = this.instructions.get(offset);
      if (instruction === undefined || (offset !== start && this.leaders.has(offset))) {
        const targets = [this.target(offset)];
        return { offset: start, guard, instructions, flow: undefined, targets, idiom: undefined };
      }
      instructions.push(instruction);
      const { flow } = instruction.template;
      if (flow === undefined) {
        offset = this.after(offset);
        continue;
      }
      const targets = this.targetsOf(flow, offset, caller);
      const isLoop =
        flow.kind === 'branch' && offset + flow.distance === start && !instructions.some(this.hasProbe);
      const idiom = isLoop
        ? idiomFor(
            instructions.map((item) => this.decoded.get(item.offset)!),
            this.shared.templates.counts,
          )
        : undefined;
      return { offset: start, guard, instructions, flow, targets, idiom };
    }
  }

  private readonly hasProbe = ({ offset }: Instruction): boolean => this.source.probeAt(offset) !== undefined;

  private target(offset: number): Target {
    const block = this.numbers.get(offset);
    return block === undefined ? { outside: offset } : { block };
  }

  /** See Block.targets. */
  private targetsOf(flow: Flow, offset: number, caller: Target | undefined): Target[] {
    const next = this.after(offset);
    switch (flow.kind) {
      case 'branch':
        return [this.target(offset + flow.distance), this.target(next)];
      case 'jump':
        return [this.target(offset + flow.distance)];
      case 'call':
        return [this.called(offset + flow.distance, next)];
      case 'indirect':
        return this.targetsOfIndirect(flow.isCall, offset, caller).filter((target) => 'block' in target);
      case 'leave':
        return [];
    }
  }

  private targetsOfIndirect(isCall: boolean, offset: number, caller: Target | undefined): Target[] {
    const likely = this.likely.get(offset);
    if (likely !== undefined) return [isCall ? this.called(likely, this.after(offset)) : this.target(likely)];
    if (isCall) return [];
    const returns = [...this.returns].map((place) => this.target(place));
    return caller ? [...returns, caller] : returns;
  }

  /** What is called from a place, the one before `next`. */
  private called(to: number, next: number): Target {
    const copy = this.copies.get(next);
    return copy ? copy.finder.target(to) : this.target(to);
  }
}
