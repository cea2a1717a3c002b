/**
 * The serial port: an NS16550A (PC16550D data sheet). Registers are bytes; a wider access sees the low byte alone.
 *
 *   0  RBR  received byte (read)       THR  byte to transmit (write)     DLL  divisor, low, while LCR.DLAB
 *   1  IER  interrupts enabled                                           DLM  divisor, high, while LCR.DLAB
 *   2  IIR  highest interrupt (read)   FCR  FIFO control (write)
 *   3  LCR  line control, DLAB in bit 7
 *   4  MCR  modem control, loopback in bit 4
 *   5  LSR  line status: data ready, overrun, transmitter empty
 *   6  MSR  modem status: a terminal that is always there, or MCR's outputs while in loopback; never a change
 *   7  SCR  a byte for the guest to keep
 *
 * Transmitting takes no time: THR is always empty again at once. The divisor and the line format change nothing.
 *
 * Receiving loses nothing. The host's bytes wait in a queue without bound, and the receive FIFO shows the first of
 * them: sixteen, or one while the FIFOs are off. A byte leaves the queue only when the guest reads it from RBR, as if
 * the sender repeated it until then. So input never overruns, and a driver that resets the FIFOs as it starts (xv6's
 * does) still finds what was typed before. What an FCR reset does discard is bytes looped back by the guest itself.
 */

import type { ByteSink, Device, InterruptLine, Width } from './device.js';

const FIFO_BYTES = 16;

const IER_RECEIVED = 0x01;
const IER_TRANSMITTER_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MASK = 0x0f;

const IIR_NONE = 0x01;
const IIR_TRANSMITTER_EMPTY = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_RECEIVE_TIMEOUT = 0x0c;
const IIR_FIFOS_ON = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_RESET_RECEIVER = 0x02;
/** Bytes at which the FIFO reports data, by FCR bits 7:6. */
const TRIGGER_LEVELS = [1, 4, 8, 14];

const LCR_DLAB = 0x80;

const MCR_LOOPBACK = 0x10;
const MCR_MASK = 0x1f;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_TRANSMITTER_EMPTY = 0x60;

/** Data set ready, clear to send, carrier detected. */
const MSR_CONNECTED = 0xb0;

interface UartState {
  divisor: number;
  interruptEnable: number;
  fifoControl: number;
  lineControl: number;
  modemControl: number;
  scratch: number;
  overrun: boolean;
  transmitterEmptied: boolean;
  loopedBack: number[];
  waiting: Uint8Array;
}

export class Uart16550 implements Device {
  readonly name = 'uart';
  readonly size = 0x100;

  private divisor = 0;
  private interruptEnable = 0;
  private fifoControl = 0;
  private lineControl = 0;
  private modemControl = 0;
  private scratch = 0;
  private overrun = false;
  /** The transmitter became empty and the guest has not seen that in IIR yet. */
  private transmitterEmptied = false;
  /** Bytes the guest sent itself in loopback, received before the host's. */
  private loopedBack: number[] = [];
  /** The host's bytes, in order. */
  private waiting: Uint8Array = new Uint8Array();

  constructor(
    private readonly line: InterruptLine,
    private readonly sink: ByteSink,
  ) {}

  /** Queues bytes for the guest to receive. */
  receive(bytes: Uint8Array): void {
    const waiting = new Uint8Array(this.waiting.length + bytes.length);
    waiting.set(this.waiting);
    waiting.set(bytes, this.waiting.length);
    this.waiting = waiting;
    this.update();
  }

  /** Bytes from the host that the guest has not read yet. */
  get pendingInput(): number {
    return this.waiting.length;
  }

  load(offset: number, _width: Width): number {
    switch (offset) {
      case 0:
        return this.divisorLatched ? this.divisor & 0xff : this.takeReceived();
      case 1:
        return this.divisorLatched ? this.divisor >> 8 : this.interruptEnable;
      case 2:
        return this.identifyInterrupt();
      case 3:
        return this.lineControl;
      case 4:
        return this.modemControl;
      case 5:
        return this.takeLineStatus();
      case 6:
        return this.modemStatus;
      case 7:
        return this.scratch;
      default:
        return 0;
    }
  }

  store(offset: number, _width: Width, value: number): void {
    const byte = value & 0xff;
    switch (offset) {
      case 0:
        if (this.divisorLatched) this.divisor = (this.divisor & 0xff00) | byte;
        else this.transmit(byte);
        break;
      case 1:
        if (this.divisorLatched) this.divisor = (byte << 8) | (this.divisor & 0xff);
        else this.enableInterrupts(byte & IER_MASK);
        break;
      case 2:
        this.controlFifos(byte);
        break;
      case 3:
        this.lineControl = byte;
        break;
      case 4:
        this.modemControl = byte & MCR_MASK;
        break;
      case 7:
        this.scratch = byte;
        break;
    }
    this.update();
  }

  private get divisorLatched(): boolean {
    return (this.lineControl & LCR_DLAB) !== 0;
  }

  private get fifosOn(): boolean {
    return (this.fifoControl & FCR_ENABLE) !== 0;
  }

  private get depth(): number {
    return this.fifosOn ? FIFO_BYTES : 1;
  }

  private get loopback(): boolean {
    return (this.modemControl & MCR_LOOPBACK) !== 0;
  }

  /** Bytes in the receive FIFO. In loopback the wire from the host is cut. */
  private get received(): number {
    return Math.min(this.depth, this.loopedBack.length + (this.loopback ? 0 : this.waiting.length));
  }

  private takeReceived(): number {
    let byte = 0;
    if (this.loopedBack.length > 0) {
      byte = this.loopedBack.shift()!;
    } else if (this.received > 0) {
      byte = this.waiting[0];
      this.waiting = this.waiting.subarray(1);
    }
    this.update();
    return byte;
  }

  private transmit(byte: number): void {
    if (!this.loopback) this.sink(byte);
    else if (this.loopedBack.length < this.depth) this.loopedBack.push(byte);
    else this.overrun = true;
    this.transmitterEmptied = true;
  }

  /** Enabling the transmitter interrupt raises it, since the transmitter is empty. */
  private enableInterrupts(enable: number): void {
    if (enable & ~this.interruptEnable & IER_TRANSMITTER_EMPTY) this.transmitterEmptied = true;
    this.interruptEnable = enable;
  }

  /** Turning the FIFOs on or off resets them too. */
  private controlFifos(control: number): void {
    const switched = (control ^ this.fifoControl) & FCR_ENABLE;
    if (switched || control & FCR_RESET_RECEIVER) this.loopedBack = [];
    // The other bits are kept only while the FIFOs are on.
    this.fifoControl = control & FCR_ENABLE ? control : 0;
  }

  private takeLineStatus(): number {
    const status =
      LSR_TRANSMITTER_EMPTY | (this.received > 0 ? LSR_DATA_READY : 0) | (this.overrun ? LSR_OVERRUN : 0);
    if (this.overrun) {
      this.overrun = false;
      this.update();
    }
    return status;
  }

  /** In loopback MCR's DTR, RTS, OUT1 and OUT2 appear as DSR, CTS, RI and DCD. */
  private get modemStatus(): number {
    if (!this.loopback) return MSR_CONNECTED;
    const [dtr, rts, out1, out2] = [0, 1, 2, 3].map((bit) => (this.modemControl >> bit) & 1);
    return (out2 << 7) | (out1 << 6) | (dtr << 5) | (rts << 4);
  }

  /**
   * The interrupt of highest priority, as IIR names it. Received data interrupts at once, however little: below
   * the trigger level a real FIFO does so after a silence of four characters, and in virtual time the sender has
   * always been silent for longer.
   */
  private get interrupt(): number {
    const enabled = this.interruptEnable;
    if (enabled & IER_LINE_STATUS && this.overrun) return IIR_LINE_STATUS;
    if (enabled & IER_RECEIVED && this.received > 0) {
      const trigger = this.fifosOn ? TRIGGER_LEVELS[this.fifoControl >> 6] : 1;
      return this.received >= trigger ? IIR_RECEIVED : IIR_RECEIVE_TIMEOUT;
    }
    if (enabled & IER_TRANSMITTER_EMPTY && this.transmitterEmptied) return IIR_TRANSMITTER_EMPTY;
    return IIR_NONE;
  }

  /** Reading IIR settles the transmitter's interrupt, if that is the one it names. */
  private identifyInterrupt(): number {
    const interrupt = this.interrupt;
    if (interrupt === IIR_TRANSMITTER_EMPTY) {
      this.transmitterEmptied = false;
      this.update();
    }
    return interrupt | (this.fifosOn ? IIR_FIFOS_ON : 0);
  }

  /** Drives the line; called after whatever may give the guest news, never for mere looking (see plic.ts). */
  private update(): void {
    this.line.set(this.interrupt !== IIR_NONE);
  }

  state(): UartState {
    return {
      divisor: this.divisor,
      interruptEnable: this.interruptEnable,
      fifoControl: this.fifoControl,
      lineControl: this.lineControl,
      modemControl: this.modemControl,
      scratch: this.scratch,
      overrun: this.overrun,
      transmitterEmptied: this.transmitterEmptied,
      loopedBack: [...this.loopedBack],
      waiting: this.waiting.slice(),
    };
  }

  /** Leaves the line alone: whether its last news was heard is the interrupt controller's to remember. */
  restore(state: unknown): void {
    const { loopedBack, waiting, ...registers } = state as UartState;
    Object.assign(this, registers);
    this.loopedBack = [...loopedBack];
    this.waiting = waiting.slice();
  }
}
