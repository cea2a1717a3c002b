/** Waits, in a machine that runs, for the moment at which a page table is to be dumped. */
import type { Machine } from '../../machine/machine.js';
import type { Hart } from '../../rv64/hart.js';
import { Mode } from '../../rv64/trap.js';
import { BadInputError } from '../../machine/errors.js';
import { Guest } from '../guest.js';
import { Probes } from '../probes.js';
import { type Dump, dumpTable, KERNEL, type PhysicalNames } from './dump.js';
import { GuestNames } from './names.js';

export interface Moment {
  /** When this function is reached for the first time; when the session is over, if not given. */
  readonly symbol?: string;
  /** The table of the process of this name: of the one that ran last, or that ended last; the kernel's, if not given. */
  readonly process?: string;
  /** Whether the first time that the process is in user mode will do. */
  readonly atFirst?: boolean;
}

export class Capture {
  readonly guest: Guest;
  readonly names: PhysicalNames;
  private kernelRoot: number | undefined;
  private found: Dump | undefined;
  /** The tables of the processes of that name, by the address of their structures; the one that ran last is last. */
  private readonly roots = new Map<number, number>();
  private ended: Dump | undefined;

  /** `machine` has not run yet; `kernel` is the file in it. Throws BadInputError for a symbol that it does not have. */
  constructor(
    machine: Machine,
    kernel: Uint8Array,
    private readonly moment: Moment,
  ) {
    this.guest = new Guest(machine, kernel);
    this.names = new GuestNames(this.guest);
    const probes = new Probes(this.guest);
    probes.on('useKernelTable', { leave: (_, hart) => (this.kernelRoot = this.guest.rootOf(hart)) });
    if (moment.process !== undefined)
      probes.on('processFree', { enter: (call) => this.ends(call.arguments[0]) });
    probes.attach();
    if (moment.process !== undefined) machine.observe({ trap: (hart) => this.leavesUserMode(hart) });
    if (moment.symbol !== undefined) this.waitFor(moment.symbol);
  }

  /** Whether there is nothing more to wait for. */
  get isDone(): boolean {
    return this.found !== undefined;
  }

  /** The dump, once the session is over. Throws BadInputError when its moment never came. */
  result(): Dump {
    const { symbol, process } = this.moment;
    const who = process === undefined ? 'the guest' : `process ${process}`;
    if (this.found) return this.found;
    if (symbol !== undefined)
      throw new BadInputError(`${who} never reached ${symbol}; --after types a command`);
    if (process === undefined) return this.dumpKernel();
    const running = [...this.roots.values()].at(-1);
    if (running !== undefined) return this.dumpProcess(running);
    if (this.ended) return this.ended;
    throw new BadInputError(
      `no process ${process} ever ran; --after types a command, and --process wants a name as exec gives it`,
    );
  }

  private waitFor(symbol: string): void {
    const address = this.guest.address(symbol);
    if (address === undefined || !this.guest.isRam(address))
      throw new BadInputError(`the kernel has no symbol ${symbol}; "nm kernel/kernel" lists those it has`);
    this.guest.machine.setProbe(BigInt(address), (hart) => {
      if (this.found) return;
      if (this.moment.process === undefined) this.found = this.dumpInForce(hart);
      const root = this.roots.get(this.guest.processAddress(hart) ?? 0);
      if (root !== undefined) this.found = this.dumpProcess(root);
    });
  }

  private leavesUserMode(hart: Hart): void {
    const { process, atFirst } = this.moment;
    const [address, root] = [this.guest.processAddress(hart), this.guest.rootOf(hart)];
    if (hart.mode !== Mode.User || address === undefined || root === undefined || this.found) return;
    if (this.guest.processOn(hart)?.name !== process) return void this.roots.delete(address);
    this.roots.delete(address);
    this.roots.set(address, root);
    if (atFirst) this.found = this.dumpProcess(root);
  }

  /** The process with this structure ends; its table is still whole. */
  private ends(address: number): void {
    const root = this.roots.get(address);
    if (root === undefined) return;
    this.ended = this.dumpProcess(root);
    this.roots.delete(address);
  }

  private dumpProcess(root: number): Dump {
    return dumpTable(this.guest, root, `process ${this.moment.process}`, this.names);
  }

  /** The table that a hart translates by; the kernel's while it does not translate yet. */
  private dumpInForce(hart: Hart): Dump {
    const root = this.guest.rootOf(hart);
    return root === undefined ? this.dumpKernel() : dumpTable(this.guest, root, KERNEL, this.names);
  }

  private dumpKernel(): Dump {
    const pointer = this.guest.address('kernel_pagetable');
    const root = this.kernelRoot ?? (pointer && this.guest.word(pointer));
    if (!root || !this.guest.isRam(root))
      throw new BadInputError('the kernel has made no page table by then; choose a later moment');
    return dumpTable(this.guest, root, KERNEL, this.names);
  }
}
