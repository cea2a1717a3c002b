/**
 * Puts blocks with branches between them into the nested form that WebAssembly has, by the dominator tree
 * (N. Ramsey, "Beyond Relooper", ICFP 2022): a block that is reached backwards becomes a loop, one where several
 * forward paths meet stands behind a block that they break out of, and any other stands where its one predecessor
 * branches to it. A backward branch into the middle of a loop leaves the region.
 */
import { guard } from './guard.js';
import { Local, NO_MISS, type Tables } from './layout.js';
import {
  addressMark,
  branchIfMark,
  branchToMark,
  constMark,
  Mark,
  type Place,
  place,
  type Registers,
} from './marks.js';
import type { Block, Target } from './blocks.js';
import { type Output } from './output.js';
import { branchTo, flat, getLocal, i32Const, NO_RESULT, Op, setLocal } from './wasm.js';

/**
 * Writes the code of a region's blocks. It is to stand in four blocks, whose ends are the labels miss (the innermost), bail,
 * jump and out; every path branches to one of them. `note` is told what the code from a position on is for: an instruction,
 * by its distance from the page, or something in words.
 */
export function structure(
  output: Output,
  blocks: readonly Block[],
  registers: Registers,
  tables: Tables,
  note: Note = () => {},
): void {
  new Writer(output, blocks, new Flow(blocks), registers, tables, note).tree(0);
}

/** A block is executed as a whole or, where the fuel does not suffice, not at all. */
const takeFuel = flat([
  [constMark(Mark.start), setLocal(Local.at), i32Const(NO_MISS), setLocal(Local.miss)],
  [getLocal(Local.fuel), constMark(Mark.unused), Op.i32.ltS, branchIfMark(Mark.bail)],
  [getLocal(Local.fuel), constMark(Mark.unused), Op.i32.sub, setLocal(Local.fuel)],
]);

/** Goes on at a place outside of the region. */
const goOut = flat([addressMark(Mark.offset), setLocal(Local.target), branchToMark(Mark.jump)]);

/** Whether `target` is a place. */
const isTarget = flat([getLocal(Local.target), addressMark(Mark.offset), Op.i64.eq]);

/** Goes on wherever `target` is. */
const goToTarget = flat([branchToMark(Mark.jump)]);

export type Note = (at: number, what: number | string) => void;

/** The blocks' order and dominators. Blocks are known by their positions in reverse postorder. */
class Flow {
  /** Block numbers in reverse postorder, and the position of each block. */
  readonly order: readonly number[];
  private readonly position = new Map<number, number>();
  /** The position of each position's immediate dominator. */
  private readonly dominator: number[] = [];
  /** Positions that are reached backwards, and those where several forward edges meet. */
  readonly isLoop: boolean[];
  readonly isMerge: boolean[];
  /** The merges below each position in the dominator tree, last first. */
  readonly merges: number[][];

  constructor(private readonly blocks: readonly Block[]) {
    this.order = this.reversePostorder();
    this.order.forEach((block, position) => this.position.set(block, position));
    this.findDominators();
    const count = this.order.length;
    const forward = new Array<number>(count).fill(0);
    this.isLoop = new Array<boolean>(count).fill(false);
    for (let from = 0; from < count; from++) {
      for (const to of this.successors(from)) {
        if (to > from) forward[to]++;
        else if (this.dominates(to, from)) this.isLoop[to] = true;
      }
    }
    this.isMerge = forward.map((edges) => edges > 1);
    this.merges = this.order.map(() => []);
    for (let position = count - 1; position > 0; position--) {
      if (this.isMerge[position]) this.merges[this.dominator[position]].push(position);
    }
  }

  positionOf(target: Target): number | undefined {
    return 'block' in target ? this.position.get(target.block) : undefined;
  }

  dominates(above: number, below: number): boolean {
    while (below > above) below = this.dominator[below];
    return below === above;
  }

  private successors(position: number): number[] {
    return this.blocks[this.order[position]].targets
      .map((target) => this.positionOf(target))
      .filter((successor) => successor !== undefined);
  }

  private reversePostorder(): number[] {
    const seen = new Set([0]);
    const postorder: number[] = [];
    const stack = [{ block: 0, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const target = this.blocks[top.block].targets[top.next++];
      if (target === undefined) {
        postorder.push(top.block);
        stack.pop();
      } else if ('block' in target && !seen.has(target.block)) {
        seen.add(target.block);
        stack.push({ block: target.block, next: 0 });
      }
    }
    return postorder.reverse();
  }

  /** K. Cooper, T. Harvey, K. Kennedy: "A Simple, Fast Dominance Algorithm". */
  private findDominators(): void {
    const { dominator, order } = this;
    const predecessors: number[][] = order.map(() => []);
    order.forEach((_, from) => this.successors(from).forEach((to) => predecessors[to].push(from)));
    dominator[0] = 0;
    const meet = (a: number, b: number): number => {
      while (a !== b) {
        if (a > b) a = dominator[a];
        else b = dominator[b];
      }
      return a;
    };
    for (let changed = true; changed;) {
      changed = false;
      for (let position = 1; position < order.length; position++) {
        const known = predecessors[position].filter((from) => dominator[from] !== undefined);
        const nearest = known.reduce(meet);
        changed ||= dominator[position] !== nearest;
        dominator[position] = nearest;
      }
    }
  }
}

/** A label that code is inside of: the loop or the end of a block that leads to a position. */
interface Label {
  readonly position: number;
}

class Writer {
  private readonly labels: (Label | undefined)[] = [];
  private readonly at: Place;

  constructor(
    private readonly output: Output,
    private readonly blocks: readonly Block[],
    private readonly flow: Flow,
    registers: Registers,
    private readonly tables: Tables,
    private readonly note: Note,
  ) {
    this.at = { ...registers, depth: 0, offset: 0, bytes: 0, unused: 0 };
  }

  /** Writes the block at a position and all that it dominates. */
  tree(position: number): void {
    const { flow } = this;
    if (!flow.isLoop[position]) return this.within(position, flow.merges[position], 0);
    this.begin(Op.loop, { position });
    this.within(position, flow.merges[position], 0);
    this.end();
  }

  /**
   * Writes a block inside the blocks whose ends lead to `merges`, from number `next` on, each followed by what it leads to.
   */
  private within(position: number, merges: readonly number[], next: number): void {
    if (next === merges.length) return this.body(position);
    const merge = merges[next];
    this.begin(Op.block, { position: merge });
    this.within(position, merges, next + 1);
    this.end();
    this.tree(merge);
  }

  private begin(op: number, label: Label | undefined): void {
    this.output.byte(op);
    this.output.byte(NO_RESULT);
    this.labels.push(label);
  }

  private end(): void {
    this.labels.pop();
    this.output.byte(Op.end);
  }

  private body(position: number): void {
    const { output } = this;
    const block = this.blocks[this.flow.order[position]];
    const { instructions } = block;
    const count = instructions.length;
    if (block.guard !== undefined) {
      this.note(output.length, 'a copy, where it is one');
      const leave = flat(guard(this.tables, block.offset, block.guard, branchIfMark(Mark.jump)));
      this.place(leave, block.offset, 0, 0);
    }
    if (block.idiom) {
      this.note(output.length, 'many rounds at a time');
      this.place(block.idiom, block.offset, 0, 0);
    }
    this.note(output.length, `fuel for ${count}`);
    this.place(takeFuel, block.offset, 0, count);
    for (let index = 0; index < count; index++) {
      const { offset, template } = instructions[index];
      this.note(output.length, offset);
      this.place(template.code, offset, template.bytes, count - index);
    }
    this.goOn(position, block);
  }

  /** Writes how a block ends. */
  private goOn(position: number, { flow, targets }: Block): void {
    if (flow?.kind === 'branch') {
      this.choose(position, targets[0]);
      this.goTo(position, targets[1]);
    } else if (flow?.kind === 'indirect') {
      for (const target of targets) {
        this.place(isTarget, this.placeOf(target), 0, 0);
        this.choose(position, target);
      }
      this.place(goToTarget, 0, 0, 0);
    } else if (flow?.kind !== 'leave') this.goTo(position, targets[0]);
  }

  /** Goes on at a target if the condition that is on the stack is not 0. */
  private choose(from: number, target: Target): void {
    this.begin(Op.if, undefined);
    this.goTo(from, target);
    this.end();
  }

  private goTo(from: number, target: Target): void {
    const to = this.flow.positionOf(target);
    if (to === undefined || (to <= from && !this.flow.dominates(to, from))) {
      this.place(goOut, this.placeOf(target), 0, 0);
    } else if (to <= from || this.flow.isMerge[to]) {
      const label = this.labels.findLastIndex((item) => item?.position === to);
      this.output.write(branchTo(this.labels.length - 1 - label));
    } else this.tree(to);
  }

  /** Distance from the page. */
  private placeOf(target: Target): number {
    return 'block' in target ? this.blocks[target.block].offset : target.outside;
  }

  /** Writes what has marks, of an instruction or for it. `unused` is the fuel to give back if it is not executed. */
  private place(code: readonly number[], offset: number, bytes: number, unused: number): void {
    const { at } = this;
    at.depth = this.labels.length;
    at.offset = offset;
    at.bytes = bytes;
    at.unused = unused;
    place(this.output, code, at);
  }
}
