/**
 * The virtio transport over memory-mapped registers (virtio 1.2, section 4.2), version 2 and the legacy version 1,
 * for devices with one queue. Registers are words; other accesses read 0 and are dropped.
 *
 *   0x000  MagicValue        "virt"                  0x050  QueueNotify        serves the queue
 *   0x004  Version           1 or 2                  0x060  InterruptStatus    1 used buffer, 2 configuration
 *   0x008  DeviceID          0 in an empty slot      0x064  InterruptACK       clears the bits written
 *   0x00c  VendorID          "QEMU"                  0x070  Status             writing 0 resets the device
 *   0x010  DeviceFeatures    the selected word       0x0b0  SHMLen             all ones: no shared memory
 *   0x014  DeviceFeaturesSel                         0x0fc  ConfigGeneration   0: nothing ever changes
 *   0x020  DriverFeatures    the selected word       0x100  Config             the device's own, any width
 *   0x024  DriverFeaturesSel
 *   0x030  QueueSel            version 2 only:                     version 1 only:
 *   0x034  QueueNumMax         0x044  QueueReady                   0x028  GuestPageSize
 *   0x038  QueueNum            0x080  QueueDescLow, High           0x03c  QueueAlign
 *                              0x090  QueueDriverLow, High         0x040  QueuePFN
 *                              0x0a0  QueueDeviceLow, High
 *
 * Requests are served at once, while the store to QueueNotify is under way. A driver that breaks the queue's rules
 * finds DEVICE_NEEDS_RESET in Status, and nothing is served until it resets the device.
 */

import type { Device, DmaMemory, InterruptLine, Width } from './device.js';
import {
  type Broken,
  type Chain,
  QUEUE_SIZE_MAX,
  Virtqueue,
  type VirtqueueState,
  isBroken,
} from './virtqueue.js';
import { withWord, wordOf } from './words.js';

/** What a device is behind the transport. It has no state of its own: what a disk holds is its store's. */
export interface VirtioBackend {
  /** The kind of device (section 5): 2 is a disk. */
  readonly deviceId: number;
  /** Feature bits of this kind of device, below bit 24. */
  readonly features: bigint;
  /** The configuration space, which reads 0 beyond its end. */
  readonly configuration: Uint8Array;
  /** Serves one request and returns how many bytes of the chain's writable part it used. */
  serve(chain: Chain): number | Broken;
}

export type VirtioVersion = 1 | 2;

export interface VirtioMmioOptions {
  name: string;
  line: InterruptLine;
  memory: DmaMemory;
  /** Asked once, when the guest first does something that depends on it; the answer holds for good. */
  version: () => VirtioVersion;
  /** What is plugged in; without it the slot is empty. */
  backend?: VirtioBackend;
  /** Told what the driver did when the device gives up on it. */
  onBroken?: (reason: string) => void;
}

const MAGIC_VALUE = 0x000;
const VERSION = 0x004;
const DEVICE_ID = 0x008;
const VENDOR_ID = 0x00c;
const DEVICE_FEATURES = 0x010;
const DEVICE_FEATURES_SEL = 0x014;
const DRIVER_FEATURES = 0x020;
const DRIVER_FEATURES_SEL = 0x024;
const GUEST_PAGE_SIZE = 0x028;
const QUEUE_SEL = 0x030;
const QUEUE_NUM_MAX = 0x034;
const QUEUE_NUM = 0x038;
const QUEUE_ALIGN = 0x03c;
const QUEUE_PFN = 0x040;
const QUEUE_READY = 0x044;
const QUEUE_NOTIFY = 0x050;
const INTERRUPT_STATUS = 0x060;
const INTERRUPT_ACK = 0x064;
const STATUS = 0x070;
// Pairs of words, the low one first.
const QUEUE_DESC = 0x080;
const QUEUE_DRIVER = 0x090;
const QUEUE_DEVICE = 0x0a0;
const SHM_LEN = 0x0b0;
const CONFIG = 0x100;

const MAGIC = 0x7472_6976;
const VENDOR = 0x554d_4551;

const STATUS_DRIVER_OK = 4;
const STATUS_FEATURES_OK = 8;
const STATUS_NEEDS_RESET = 64;

const INTERRUPT_USED_BUFFER = 1;
const INTERRUPT_CONFIGURATION = 2;

const FEATURE_INDIRECT_DESCRIPTORS = 1n << 28n;
const FEATURE_VERSION_1 = 1n << 32n;

/** Legacy drivers that never set QueueAlign, xv6's among them, lay the used ring out by this. */
const LEGACY_ALIGNMENT = 4096;

/** What a reset clears. */
const AT_RESET = {
  deviceFeaturesSelect: 0,
  driverFeatures: 0n,
  driverFeaturesSelect: 0,
  guestPageSize: 0,
  queueSelect: 0,
  queueAlign: LEGACY_ALIGNMENT,
  queuePage: 0,
  interruptStatus: 0,
  status: 0,
};

interface VirtioMmioState {
  /** 0 while nobody has asked. */
  version: VirtioVersion | 0;
  registers: typeof AT_RESET;
  queue: VirtqueueState;
}

export class VirtioMmio implements Device {
  readonly name: string;
  readonly size = 0x1000;

  private answeredVersion: VirtioVersion | 0 = 0;
  private registers = { ...AT_RESET };
  private queue: Virtqueue;
  private readonly backend: VirtioBackend | undefined;

  constructor(private readonly options: VirtioMmioOptions) {
    this.name = options.name;
    this.backend = options.backend;
    this.queue = new Virtqueue(options.memory);
  }

  private get version(): VirtioVersion {
    this.answeredVersion ||= this.options.version();
    return this.answeredVersion;
  }

  load(offset: number, width: Width): number {
    if (offset >= CONFIG) return this.loadConfiguration(offset - CONFIG, width);
    if (width !== 4) return 0;
    switch (offset) {
      case MAGIC_VALUE:
        return MAGIC;
      case VERSION:
        return this.version;
      case DEVICE_ID:
        return this.backend?.deviceId ?? 0;
      case VENDOR_ID:
        return VENDOR;
      default:
        return this.backend ? this.loadRegister(offset) : 0;
    }
  }

  private loadRegister(offset: number): number {
    const { registers } = this;
    switch (offset) {
      case DEVICE_FEATURES:
        return registers.deviceFeaturesSelect < 2
          ? wordOf(this.features, 4 * registers.deviceFeaturesSelect)
          : 0;
      case QUEUE_NUM_MAX:
        return registers.queueSelect === 0 ? QUEUE_SIZE_MAX : 0;
      case QUEUE_PFN:
        return this.version === 1 && registers.queueSelect === 0 ? registers.queuePage : 0;
      case QUEUE_READY:
        return this.version === 2 && registers.queueSelect === 0 ? Number(this.queue.ready) : 0;
      case INTERRUPT_STATUS:
        return registers.interruptStatus;
      case STATUS:
        return registers.status;
      case SHM_LEN:
      case SHM_LEN + 4:
        return this.version === 2 ? 0xffff_ffff : 0;
      default:
        return 0;
    }
  }

  private loadConfiguration(offset: number, width: Width): number {
    let value = 0;
    for (let index = width - 1; index >= 0; index--) {
      value = value * 256 + (this.backend?.configuration[offset + index] ?? 0);
    }
    return value;
  }

  store(offset: number, width: Width, value: number): void {
    if (!this.backend || width !== 4) return;
    const { registers } = this;
    switch (offset) {
      case DEVICE_FEATURES_SEL:
        registers.deviceFeaturesSelect = value;
        break;
      case DRIVER_FEATURES:
        this.acceptFeatures(value);
        break;
      case DRIVER_FEATURES_SEL:
        registers.driverFeaturesSelect = value;
        break;
      case QUEUE_SEL:
        registers.queueSelect = value;
        break;
      case QUEUE_NOTIFY:
        this.notify(value);
        break;
      case INTERRUPT_ACK:
        registers.interruptStatus &= ~value;
        this.updateLine();
        break;
      case STATUS:
        this.storeStatus(value & 0xff);
        break;
      default:
        if (registers.queueSelect === 0) this.storeQueue(offset, value);
    }
  }

  /** Registers that set the selected queue up. */
  private storeQueue(offset: number, value: number): void {
    if (offset === QUEUE_NUM) this.queue.size = value;
    else if (this.version === 1) this.storeLegacyQueue(offset, value);
    else this.storeModernQueue(offset, value);
  }

  private storeModernQueue(offset: number, value: number): void {
    const { queue } = this;
    if (offset === QUEUE_READY) queue.setReady((value & 1) !== 0);
    switch (offset & ~4) {
      case QUEUE_DESC:
        queue.descriptors = withWord(queue.descriptors, offset, value);
        break;
      case QUEUE_DRIVER:
        queue.available = withWord(queue.available, offset, value);
        break;
      case QUEUE_DEVICE:
        queue.used = withWord(queue.used, offset, value);
        break;
    }
  }

  private storeLegacyQueue(offset: number, value: number): void {
    switch (offset) {
      case GUEST_PAGE_SIZE:
        this.registers.guestPageSize = value;
        break;
      case QUEUE_ALIGN:
        this.registers.queueAlign = value;
        break;
      case QUEUE_PFN:
        this.registers.queuePage = value;
        this.layOutLegacyQueue();
        break;
    }
  }

  /** The legacy layout (section 2.7.2): the tables follow each other, the used ring at the next aligned address. */
  private layOutLegacyQueue(): void {
    const { queuePage, guestPageSize, queueAlign } = this.registers;
    const size = BigInt(this.queue.size);
    const align = BigInt(Math.max(queueAlign, 1));
    this.queue.descriptors = BigInt(queuePage) * BigInt(guestPageSize);
    this.queue.available = this.queue.descriptors + 16n * size;
    const end = this.queue.available + 2n * (3n + size);
    this.queue.used = ((end + align - 1n) / align) * align;
    this.queue.setReady(queuePage !== 0);
  }

  private get features(): bigint {
    const features = FEATURE_INDIRECT_DESCRIPTORS | (this.backend?.features ?? 0n);
    return this.version === 2 ? features | FEATURE_VERSION_1 : features;
  }

  /** The driver's choice is final once FEATURES_OK is set. */
  private acceptFeatures(word: number): void {
    const { registers } = this;
    if (registers.driverFeaturesSelect > 1 || registers.status & STATUS_FEATURES_OK) return;
    registers.driverFeatures = withWord(registers.driverFeatures, 4 * registers.driverFeaturesSelect, word);
  }

  /**
   * FEATURES_OK sticks unless the driver chose a feature that was not offered (section 3.1.1, step 5). A version 2
   * driver that leaves VERSION_1 out is let through, because xv6 does. NEEDS_RESET is the device's alone.
   */
  private storeStatus(value: number): void {
    if (value === 0) return this.reset();
    const refused = (this.registers.driverFeatures & ~this.features) !== 0n ? STATUS_FEATURES_OK : 0;
    const kept = this.registers.status & STATUS_NEEDS_RESET;
    this.registers.status = (value & ~STATUS_NEEDS_RESET & ~refused) | kept;
  }

  /** Everything but the version and what the backend stores. */
  private reset(): void {
    this.registers = { ...AT_RESET };
    this.queue = new Virtqueue(this.options.memory);
    this.updateLine();
  }

  private notify(queue: number): void {
    const { registers } = this;
    if (registers.status & STATUS_NEEDS_RESET) return;
    const problem = this.checkNotification(queue) ?? this.serveQueue();
    if (problem) {
      registers.status |= STATUS_NEEDS_RESET;
      registers.interruptStatus |= INTERRUPT_CONFIGURATION;
      this.options.onBroken?.(`${this.name}: ${problem.broken}`);
    }
    this.updateLine();
  }

  /** Legacy drivers may use the queue before they set DRIVER_OK (section 3.1.2). */
  private checkNotification(queue: number): Broken | undefined {
    if (queue !== 0) return { broken: `there is no queue ${queue} to notify` };
    if (this.version === 1 || this.registers.status & STATUS_DRIVER_OK) return undefined;
    return { broken: 'the queue was notified before the driver set DRIVER_OK' };
  }

  /**
   * Serves what waits when the notification comes. What a request itself adds, by reading the disk into the rings,
   * waits for the next one, so that a queue that feeds itself does not run for ever.
   */
  private serveQueue(): Broken | undefined {
    const waiting = this.queue.waiting();
    if (isBroken(waiting)) return waiting;
    for (let served = 0; served < waiting; served++) {
      const chain = this.queue.take();
      if (isBroken(chain)) return chain;
      const used = this.backend!.serve(chain);
      if (isBroken(used)) return used;
      const problem = this.queue.give(chain.head, used);
      if (problem) return problem;
      if (this.queue.wantsInterrupt) this.registers.interruptStatus |= INTERRUPT_USED_BUFFER;
    }
    return undefined;
  }

  /** Drives the line; a high one again where there is more to tell. */
  private updateLine(): void {
    this.options.line.set(this.registers.interruptStatus !== 0);
  }

  state(): VirtioMmioState {
    return {
      version: this.answeredVersion,
      registers: { ...this.registers },
      queue: this.queue.state(),
    };
  }

  /** Leaves the line alone: whether its last news was heard is the interrupt controller's to remember. */
  restore(state: unknown): void {
    const { version, registers, queue } = state as VirtioMmioState;
    this.answeredVersion = version;
    this.registers = { ...registers };
    this.queue.restore(queue);
  }
}
