/**
 * The device tree that the harts find in a1 at reset: the memory map in the words of the bindings that Linux
 * documents for each device. xv6 does not read it; kernels that do find the same nodes as on other `virt` boards.
 */
import { writeFdt, type FdtNode } from './fdt.js';
import { TIMEBASE_HZ, VIRTIO_SLOTS, type Board, type MemoryRange } from './memory-map.js';

const ISA = 'rv64imac_zicsr_zifencei_sstc';

/** Interrupt causes as a hart's own controller numbers them (privileged specification, "mcause"). */
const MACHINE_SOFTWARE = 3;
const MACHINE_TIMER = 7;
const SUPERVISOR_EXTERNAL = 9;
const MACHINE_EXTERNAL = 11;

/** Sources of the interrupt controller, numbered from 1. */
const PLIC_SOURCES = 95;
/** Input of the UART's divisor, which the kernel may compute and no one hears. */
const UART_CLOCK_HZ = 3_686_400;
const FINISHER_PASS = 0x5555;
const FINISHER_RESET = 0x7777;

/** The board's flattened device tree (version 17), to be put anywhere in RAM that is aligned to 8 bytes. */
export function buildDeviceTree(board: Board): Uint8Array {
  const { map, harts } = board;
  const handles = handlesFor(harts);
  const uart = map.named('uart');
  return writeFdt({
    name: '',
    properties: {
      '#address-cells': [2],
      '#size-cells': [2],
      compatible: 'riscv-virtio',
      model: 'rvemu,virt',
    },
    children: [
      { name: 'chosen', properties: { 'stdout-path': `/soc/${nodeName('serial', uart)}` } },
      memoryNode(map.named('ram')),
      cpusNode(handles),
      {
        name: 'soc',
        properties: { '#address-cells': [2], '#size-cells': [2], compatible: 'simple-bus', ranges: true },
        children: [
          finisherNode(map.named('finisher'), handles),
          clintNode(map.named('clint'), handles),
          plicNode(map.named('plic'), handles),
          uartNode(uart, handles),
          ...Array.from({ length: VIRTIO_SLOTS }, (_, slot) =>
            virtioNode(map.named(`virtio${slot}`), handles),
          ),
        ],
      },
      switchNode('poweroff', FINISHER_PASS, handles),
      switchNode('reboot', FINISHER_RESET, handles),
    ],
  });
}

/** The numbers by which nodes refer to one another. */
interface Handles {
  /** Of each hart's own interrupt controller. */
  readonly harts: readonly number[];
  readonly plic: number;
  readonly finisher: number;
}

const handlesFor = (harts: number): Handles => ({
  harts: Array.from({ length: harts }, (_, hart) => hart + 1),
  plic: harts + 1,
  finisher: harts + 2,
});

const nodeName = (kind: string, range: MemoryRange): string => `${kind}@${range.base.toString(16)}`;

/** Address and size of a range, two cells each. */
const reg = ({ base, size }: MemoryRange): number[] =>
  [base, size].flatMap((value) => [Math.floor(value / 2 ** 32), value]);

const memoryNode = (ram: MemoryRange): FdtNode => ({
  name: nodeName('memory', ram),
  properties: { device_type: 'memory', reg: reg(ram) },
});

const cpusNode = (handles: Handles): FdtNode => ({
  name: 'cpus',
  properties: { '#address-cells': [1], '#size-cells': [0], 'timebase-frequency': [TIMEBASE_HZ] },
  children: handles.harts.map((handle, hart) => ({
    name: `cpu@${hart}`,
    properties: {
      device_type: 'cpu',
      reg: [hart],
      status: 'okay',
      compatible: 'riscv',
      'riscv,isa': ISA,
      'mmu-type': 'riscv,sv39',
    },
    children: [
      {
        name: 'interrupt-controller',
        properties: {
          '#address-cells': [0],
          '#interrupt-cells': [1],
          'interrupt-controller': true,
          compatible: 'riscv,cpu-intc',
          phandle: [handle],
        },
      },
    ],
  })),
});

const clintNode = (range: MemoryRange, handles: Handles): FdtNode => ({
  name: nodeName('clint', range),
  properties: {
    compatible: ['sifive,clint0', 'riscv,clint0'],
    reg: reg(range),
    'interrupts-extended': handles.harts.flatMap((hart) => [hart, MACHINE_SOFTWARE, hart, MACHINE_TIMER]),
  },
});

const plicNode = (range: MemoryRange, handles: Handles): FdtNode => ({
  name: nodeName('plic', range),
  properties: {
    compatible: ['sifive,plic-1.0.0', 'riscv,plic0'],
    reg: reg(range),
    '#address-cells': [0],
    '#interrupt-cells': [1],
    'interrupt-controller': true,
    'interrupts-extended': handles.harts.flatMap((hart) => [
      hart,
      MACHINE_EXTERNAL,
      hart,
      SUPERVISOR_EXTERNAL,
    ]),
    'riscv,ndev': [PLIC_SOURCES],
    phandle: [handles.plic],
  },
});

/** What the node of a device that interrupts says about that. */
const interrupts = (
  range: MemoryRange,
  handles: Handles,
): { interrupts: number[]; 'interrupt-parent': number[] } => {
  if (range.irq === undefined) throw new RangeError(`${range.name} has no interrupt in the memory map`);
  return { interrupts: [range.irq], 'interrupt-parent': [handles.plic] };
};

const uartNode = (range: MemoryRange, handles: Handles): FdtNode => ({
  name: nodeName('serial', range),
  properties: {
    compatible: 'ns16550a',
    reg: reg(range),
    'clock-frequency': [UART_CLOCK_HZ],
    ...interrupts(range, handles),
  },
});

const virtioNode = (range: MemoryRange, handles: Handles): FdtNode => ({
  name: nodeName('virtio_mmio', range),
  properties: { compatible: 'virtio,mmio', reg: reg(range), ...interrupts(range, handles) },
});

const finisherNode = (range: MemoryRange, handles: Handles): FdtNode => ({
  name: nodeName('test', range),
  properties: {
    compatible: ['sifive,test1', 'sifive,test0', 'syscon'],
    reg: reg(range),
    phandle: [handles.finisher],
  },
});

/** Ends or restarts the machine by a value written to the test finisher. */
const switchNode = (name: 'poweroff' | 'reboot', value: number, handles: Handles): FdtNode => ({
  name,
  properties: { compatible: `syscon-${name}`, regmap: [handles.finisher], offset: [0], value: [value] },
});
