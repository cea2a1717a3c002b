/** The devices of the board and the wires between them and the harts. */
import { Clint } from '../devices/clint.js';
import type { BlockStore, ByteSink, Device, DmaMemory } from '../devices/device.js';
import { Finisher } from '../devices/finisher.js';
import { Plic } from '../devices/plic.js';
import { Uart16550 } from '../devices/uart16550.js';
import { type DiskRequest, VirtioBlk } from '../devices/virtio-blk.js';
import { VirtioMmio } from '../devices/virtio-mmio.js';
import type { Hart } from '../rv64/hart.js';
import { Interrupt } from '../rv64/trap.js';
import type { VirtualClock } from './clock.js';
import { UART_IRQ, VIRTIO_FIRST_IRQ, VIRTIO_SLOTS } from './memory-map.js';

/** What the devices are connected to. */
export interface Surroundings {
  readonly harts: readonly Hart[];
  readonly clock: VirtualClock;
  readonly memory: DmaMemory;
  readonly output: ByteSink;
  readonly disk: BlockStore | undefined;
  /** The version of virtio-mmio that the slots speak, asked when the guest first needs it. */
  readonly virtioVersion: () => 1 | 2;
  readonly warn: (sentence: string) => void;
  readonly onDiskRequest: (request: DiskRequest) => void;
  readonly onFinish: (code: number) => void;
  readonly onReset: () => void;
}

/** Builds every device of the board. */
export function buildDevices(to: Surroundings): { devices: readonly Device[]; uart: Uart16550 } {
  const plic = new Plic(
    to.harts.flatMap((hart) =>
      [Interrupt.MachineExternal, Interrupt.SupervisorExternal].map((interrupt) => ({
        set: (level: boolean) => hart.setLine(interrupt, level),
      })),
    ),
  );
  const clint = new Clint(
    to.harts.map((hart) => ({
      setSoftwareInterrupt: (level) => hart.setLine(Interrupt.MachineSoftware, level),
      setTimerCompare: (ticks) => hart.setTimerCompare(ticks),
    })),
    to.clock,
  );
  const uart = new Uart16550(plic.line(UART_IRQ), to.output);
  const slots = Array.from({ length: VIRTIO_SLOTS }, (_, slot) => {
    return new VirtioMmio({
      name: `virtio${slot}`,
      line: plic.line(VIRTIO_FIRST_IRQ + slot),
      memory: to.memory,
      version: to.virtioVersion,
      onBroken: (what) => to.warn(`${what}; the driver must reset the device`),
      backend: slot === 0 && to.disk ? new VirtioBlk(to.disk, to.warn, to.onDiskRequest) : undefined,
    });
  });
  const finisher = new Finisher(to.onFinish, to.onReset);
  return { devices: [finisher, clint, plic, uart, ...slots], uart };
}
