/**
 * One gdb that is connected: takes the bytes it sends, and answers. gdb's threads are the harts, hart n being thread n + 1.
 * The machine stops and goes as a whole ("all-stop"), and is halted when a client connects.
 *
 * What a packet means is told in the gdb manual, "Remote Protocol", sections "Packets" and "General Query Packets".
 */
import type { Hart } from '../../rv64/hart.js';
import type { Debugger, Follower, Halt } from '../debugger.js';
import { BAD_PACKET, OK, UNKNOWN } from './answers.js';
import { MEMORY_MAP, TARGET_DESCRIPTION, threadList } from './descriptions.js';
import { bytesOfHex, hexOfText, parseHex } from './hex.js';
import {
  MOST_BYTES,
  parseRange,
  readMemory,
  readRegister,
  readRegisters,
  removePoint,
  setPoint,
  STOP_REASON,
  writeMemory,
  writeRegister,
  writeRegisters,
} from './inspection.js';
import { doMonitor } from './monitor.js';
import { bytesOf, packet, PACKET_BYTES, PacketReader, type Received } from './packets.js';

/** Signals by the numbers that gdb knows them by. */
const SIGNAL = { interrupt: 2, trap: 5, fault: 11 } as const;
const SIGNAL_OF: Readonly<Record<Halt['reason'], number>> = {
  asked: SIGNAL.interrupt,
  step: SIGNAL.trap,
  breakpoint: SIGNAL.trap,
  watchpoint: SIGNAL.trap,
  stuck: SIGNAL.fault,
  beginning: SIGNAL.trap,
};

/** Packets that may come while the guest runs; others have to wait for its halt. */
const WHILE_RUNNING = /^([qQ?TkD]|vKill)/;

/** What a packet has after its name. Returns the answer; undefined for none, or one that comes later. */
type Handler = (text: string) => string | undefined;

export interface ConnectionOptions {
  /** Sends bytes to the client. */
  readonly send: (bytes: Uint8Array) => void;
  /** The client wants the guest to be ended. */
  readonly onKill: () => void;
}

export class GdbConnection implements Follower {
  private readonly reader = new PacketReader();
  private acknowledges = true;
  private lastPacket = packet(OK);
  /** The thread that registers and memory are meant of, and the one that `c` and `s` are. */
  private general: Hart;
  private control: Hart | undefined;
  private stopReply: string;
  /** What to say of the next halt, where a monitor command asked for it. */
  private arrival: ((halt: Halt) => string) | undefined;

  constructor(
    private readonly target: Debugger,
    private readonly options: ConnectionOptions,
  ) {
    this.general = target.machine.harts[0];
    this.stopReply = this.stopReplyFor(SIGNAL.trap, this.general);
    target.follower = this;
    target.halt();
  }

  /** Takes bytes from the client, in pieces of any size. Nothing that they can be makes it throw. */
  receive(bytes: Uint8Array): void {
    for (const received of this.reader.feed(bytes)) this.take(received);
  }

  /** The client is gone: the machine goes on without it. */
  close(): void {
    if (this.target.follower !== this) return;
    this.target.follower = undefined;
    this.target.breakpoints.clear();
    this.target.watchpoints.clear();
    if (this.target.isHalted) this.target.resume(this.general);
  }

  halted(halt: Halt): void {
    const { hart, reason, watchpoint } = halt;
    const { arrival } = this;
    if (arrival) {
      this.arrival = undefined;
      this.stop(SIGNAL.trap, hart);
      return this.reply(this.say(arrival(halt)));
    }
    let more = watchpoint && `${STOP_REASON[watchpoint.kind]}:${watchpoint.address.toString(16)};`;
    if (reason === 'beginning') more = 'replaylog:begin;';
    this.reply(this.stop(SIGNAL_OF[reason], hart, more));
  }

  ended(code: number): void {
    this.reply(`W${(code & 0xff).toString(16).padStart(2, '0')}`);
  }

  // ---- packets ------------------------------------------------------------------------------------------

  private take(received: Received): void {
    switch (received.kind) {
      case 'again':
        return this.options.send(this.lastPacket);
      case 'damaged':
        if (this.acknowledges) this.options.send(bytesOf('-'));
        return;
      case 'interrupt':
        if (this.target.isHalted) return;
        this.target.halt();
        this.arrival = undefined;
        return this.reply(this.stop(SIGNAL.interrupt, this.general));
      case 'packet': {
        if (this.acknowledges) this.options.send(bytesOf('+'));
        const isInTime = this.target.isHalted || WHILE_RUNNING.test(received.body);
        const answer = isInTime ? this.answer(received.body) : BAD_PACKET;
        if (answer !== undefined) this.reply(answer);
      }
    }
  }

  private reply(body: string): void {
    this.lastPacket = packet(body);
    this.options.send(this.lastPacket);
  }

  private answer(body: string): string | undefined {
    for (const [name, handler] of this.handlers) {
      if (body.startsWith(name)) return handler(body.slice(name.length));
    }
    return UNKNOWN;
  }

  /** Names that begin others come after them. */
  private readonly handlers: readonly (readonly [string, Handler])[] = [
    ['?', () => this.stopReply],
    ['qSupported', () => this.features()],
    ['QStartNoAckMode', () => this.stopAcknowledging()],
    ['qAttached', () => '1'],
    ['qRcmd,', (text) => this.monitor(text)],
    ['qXfer:features:read:target.xml:', (text) => part(TARGET_DESCRIPTION, text)],
    ['qXfer:memory-map:read::', (text) => part(MEMORY_MAP, text)],
    ['qXfer:threads:read::', (text) => part(threadList(this.threads()), text)],
    ['qfThreadInfo', () => `m${this.target.machine.harts.map(threadOf).join(',')}`],
    ['qsThreadInfo', () => 'l'],
    ['qThreadExtraInfo,', (text) => this.withThread(text, (hart) => hexOfText(this.about(hart)))],
    ['qC', () => `QC${threadOf(this.general)}`],
    ['T', (text) => this.withThread(text, () => OK)],
    ['Hg', (text) => this.withThread(text, (hart) => ((this.general = hart), OK))],
    ['Hc', (text) => this.withThread(text, (hart) => ((this.control = hart), OK))],
    ['vCont?', () => 'vCont;c;C;s;S'],
    ['vCont;', (text) => this.continueThreads(text)],
    ['vKill', () => (this.options.onKill(), OK)],
    ['bs', () => this.goBack((hart) => this.target.stepBack(hart))],
    ['bc', () => this.goBack(() => this.target.resumeBack())],
    ['c', (text) => this.goOn(text, 'c')],
    ['s', (text) => this.goOn(text, 's')],
    ['C', (text) => this.goOn(text.split(';')[1] ?? '', 'c')],
    ['S', (text) => this.goOn(text.split(';')[1] ?? '', 's')],
    ['k', () => (this.options.onKill(), undefined)],
    ['D', () => (this.close(), OK)],
    ['g', () => readRegisters(this.general)],
    ['G', (text) => this.change(() => writeRegisters(this.general, text))],
    ['p', (text) => readRegister(this.general, text)],
    ['P', (text) => this.change(() => writeRegister(this.general, text))],
    ['m', (text) => readMemory(this.target.machine, this.general, text)],
    ['M', (text) => this.change(() => writeMemory(this.target.machine, this.general, text, bytesOfHex))],
    ['X', (text) => this.change(() => writeMemory(this.target.machine, this.general, text, bytesOf))],
    ['Z', (text) => setPoint(this.target, this.general, text)],
    ['z', (text) => removePoint(this.target, text)],
  ];

  private change(action: () => string): string {
    this.target.changeByHand();
    return action();
  }

  private features(): string {
    const size = PACKET_BYTES.toString(16);
    return (
      `PacketSize=${size};qXfer:features:read+;qXfer:memory-map:read+;qXfer:threads:read+;` +
      `QStartNoAckMode+;vContSupported+${this.target.canGoBack ? ';ReverseStep+;ReverseContinue+' : ''}`
    );
  }

  private stopAcknowledging(): string {
    this.acknowledges = false;
    return OK;
  }

  // ---- monitor commands ---------------------------------------------------------------------------------

  private monitor(text: string): string | undefined {
    const line = bytesOfHex(text);
    if (line === undefined || !this.target.isHalted) return BAD_PACKET;
    const answer = doMonitor(this.target, this.general, new TextDecoder().decode(line));
    if (typeof answer === 'string') return this.say(answer);
    this.arrival = answer;
    return undefined;
  }

  /** Sends text to be printed; returns the answer that ends it. */
  private say(text: string): string {
    const digits = hexOfText(text + '\n');
    for (let at = 0; at < digits.length; at += MOST_BYTES)
      this.reply(`O${digits.slice(at, at + MOST_BYTES)}`);
    return OK;
  }

  // ---- threads ------------------------------------------------------------------------------------------

  /** The hart of a thread; 0 and -1, any and all, are the one that is looked at. */
  private hartOf(text: string): Hart | undefined {
    if (text === '0' || text === '-1') return this.general;
    const thread = parseHex(text);
    return thread === undefined ? undefined : this.target.machine.harts[Number(thread) - 1];
  }

  private withThread(text: string, action: (hart: Hart) => string): string {
    const hart = this.hartOf(text);
    return hart === undefined ? BAD_PACKET : action(hart);
  }

  private about(hart: Hart): string {
    return this.target.describeHart(hart.index).split('\n')[0];
  }

  private threads(): { name: string; about: string }[] {
    return this.target.machine.harts.map((hart) => ({ name: `hart ${hart.index}`, about: this.about(hart) }));
  }

  // ---- going on -----------------------------------------------------------------------------------------

  private stopReplyFor(signal: number, hart: Hart): string {
    return `T${signal.toString(16).padStart(2, '0')}thread:${threadOf(hart)};`;
  }

  private stop(signal: number, hart: Hart, more = ''): string {
    this.general = hart;
    this.control = undefined;
    this.stopReply = this.stopReplyFor(signal, hart) + more;
    return this.stopReply;
  }

  /** Takes `c` and `s`, with or without an address to go on at. */
  private goOn(address: string, action: 'c' | 's'): string | undefined {
    const hart = this.control ?? this.general;
    if (address !== '') {
      const pc = parseHex(address);
      if (pc === undefined) return BAD_PACKET;
      this.target.changeByHand();
      hart.moveTo(pc);
    }
    if (action === 's') this.target.step(hart);
    else this.target.resume(hart);
    return undefined;
  }

  private goBack(go: (hart: Hart) => void): string | undefined {
    if (!this.target.canGoBack) return UNKNOWN;
    go(this.control ?? this.general);
    return undefined;
  }

  /** Takes actions such as `s:2;c`: one without a thread is all others'. Harts without an action are held. */
  private continueThreads(text: string): string | undefined {
    const actions = text.split(';').map((item) => {
      const [, action, thread = '-1'] = /^([cs]|[CS][0-9a-f]{2})(?::(.+))?$/i.exec(item) ?? [];
      const isForAll = thread === '-1';
      return { isStep: action?.toLowerCase().startsWith('s'), isForAll, hart: this.hartOf(thread) };
    });
    if (actions.some(({ isStep, hart }) => isStep === undefined || hart === undefined)) return BAD_PACKET;
    const named = new Set(actions.map(({ hart }) => hart));
    const isForAll = actions.some((action) => action.isForAll);
    const held = this.target.machine.harts.filter((hart) => !isForAll && !named.has(hart));
    const step = actions.find(({ isStep }) => isStep);
    if (step) this.target.step(step.hart!, held);
    else this.target.resume(held.includes(this.general) ? actions[0].hart! : this.general, held);
    return undefined;
  }
}

const threadOf = (hart: Hart): string => (hart.index + 1).toString(16).padStart(2, '0');

/** The part of a document that `offset,length` names: `l` and the last of it, or `m` and what is not. */
function part(document: string, text: string): string {
  const range = parseRange(text);
  if (range === undefined) return BAD_PACKET;
  const start = Number(range.address);
  const end = start + Math.min(range.length, MOST_BYTES);
  return (end >= document.length ? 'l' : 'm') + document.slice(start, end);
}
