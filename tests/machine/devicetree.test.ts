import { describe, expect, test } from 'vitest';
import { buildDeviceTree } from '../../src/machine/devicetree.js';
import { writeFdt } from '../../src/machine/fdt.js';
import { buildBoard, type MemoryRange } from '../../src/machine/memory-map.js';
import { cells, nodeAt, readFdt, texts, type ReadNode } from '../support/fdt.js';

const board = buildBoard(3, 0xc000_0000);
const tree = readFdt(buildDeviceTree(board));
const soc = nodeAt(tree, '/soc');

test('every property that is written is read back, whatever its length', () => {
  const node = readFdt(
    writeFdt({
      name: '',
      properties: { flag: true, one: 'a', list: ['ab', 'cde'], cells: [1, 0xffff_ffff] },
      children: [
        { name: 'child@8', properties: { one: 'second' }, children: [{ name: 'leaf', properties: {} }] },
      ],
    }),
  );
  expect(node.properties.flag.length).toBe(0);
  expect(texts(node, 'one')).toEqual(['a']);
  expect(texts(node, 'list')).toEqual(['ab', 'cde']);
  expect(cells(node, 'cells')).toEqual([1, 0xffff_ffff]);
  expect(texts(nodeAt(node, '/child@8'), 'one')).toEqual(['second']);
  expect(nodeAt(node, '/child@8/leaf').properties).toEqual({});
});

describe('the device tree of the board', () => {
  /** The node of a range, found by its unit address, must have that address in `reg`. */
  const nodeOf = (parent: ReadNode, range: MemoryRange): ReadNode => {
    const unit = `@${range.base.toString(16)}`;
    const names = Object.keys(parent.children).filter((name) => name.endsWith(unit));
    expect(names).toHaveLength(1);
    return parent.children[names[0]];
  };

  test('has a node for every range of the memory map, with its address, size and interrupt', () => {
    for (const range of board.map.ranges) {
      const node = nodeOf(range.name === 'ram' ? tree : soc, range);
      expect(cells(node, 'reg')).toEqual([0, range.base, 0, range.size]);
      expect('interrupts' in node.properties ? cells(node, 'interrupts') : []).toEqual(
        range.irq === undefined ? [] : [range.irq],
      );
    }
    expect(Object.keys(soc.children)).toHaveLength(board.map.ranges.length - 1);
  });

  test('has a cpu for every hart, with its own interrupt controller', () => {
    const cpus = nodeAt(tree, '/cpus');
    expect(cells(cpus, 'timebase-frequency')).toEqual([10_000_000]);
    expect(Object.keys(cpus.children)).toEqual(['cpu@0', 'cpu@1', 'cpu@2']);
    Object.values(cpus.children).forEach((cpu, hart) => {
      expect(cells(cpu, 'reg')).toEqual([hart]);
      expect(texts(cpu, 'riscv,isa')).toEqual(['rv64imac_zicsr_zifencei_sstc']);
      expect(texts(cpu, 'mmu-type')).toEqual(['riscv,sv39']);
      expect(texts(nodeAt(cpu, 'interrupt-controller'), 'compatible')).toEqual(['riscv,cpu-intc']);
    });
  });

  test('connects the timers and the interrupt controller to every hart', () => {
    const harts = Object.values(nodeAt(tree, '/cpus').children);
    const handles = harts.map((cpu) => cells(nodeAt(cpu, 'interrupt-controller'), 'phandle')[0]);
    expect(new Set(handles).size).toBe(3);
    const wires = (...causes: number[]): number[] =>
      handles.flatMap((hart) => causes.flatMap((cause) => [hart, cause]));
    expect(cells(nodeAt(soc, 'clint@2000000'), 'interrupts-extended')).toEqual(wires(3, 7));
    expect(cells(nodeAt(soc, 'plic@c000000'), 'interrupts-extended')).toEqual(wires(11, 9));
  });

  test('sends the interrupts of devices to the interrupt controller, and no handle is used twice', () => {
    const plic = cells(nodeAt(soc, 'plic@c000000'), 'phandle');
    expect(cells(nodeAt(soc, 'serial@10000000'), 'interrupt-parent')).toEqual(plic);
    expect(cells(nodeAt(soc, 'virtio_mmio@10008000'), 'interrupt-parent')).toEqual(plic);
    const handlesIn = (node: ReadNode): number[] => [
      ...('phandle' in node.properties ? cells(node, 'phandle') : []),
      ...Object.values(node.children).flatMap(handlesIn),
    ];
    const handles = handlesIn(tree);
    expect(new Set(handles).size).toBe(handles.length);
  });

  test('sends the console to the serial port', () => {
    const [path] = texts(nodeAt(tree, '/chosen'), 'stdout-path');
    expect(texts(nodeAt(tree, path), 'compatible')).toEqual(['ns16550a']);
  });

  test.each([
    ['poweroff', 0x5555],
    ['reboot', 0x7777],
  ])('says how to %s through the test finisher', (name, value) => {
    const node = nodeAt(tree, name);
    expect(texts(node, 'compatible')).toEqual([`syscon-${name}`]);
    expect(cells(node, 'regmap')).toEqual(cells(nodeAt(soc, 'test@100000'), 'phandle'));
    expect(cells(node, 'value')).toEqual([value]);
  });

  test('fits in a page or two, whatever the board', () => {
    expect(buildDeviceTree(buildBoard(8, 0x20_0000)).length).toBeLessThan(8192);
  });
});
