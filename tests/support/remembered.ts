/** Machines with the project's kernel whose run is remembered. */
import { History } from '../../src/debug/history/history.js';
import { OutputGate } from '../../src/debug/history/output-gate.js';
import { MemoryStore } from '../../src/devices/block-store.js';
import { RewindableStore } from '../../src/devices/rewindable-store.js';
import { Machine } from '../../src/machine/machine.js';
import { fileSystemImage, kernelElf } from './images.js';

const MEBIBYTE = 1 << 20;

/** A machine, its history, and what came out of its serial port. */
export function remembered({ harts = 2, budget = 64 * MEBIBYTE } = {}) {
  const shown: string[] = [];
  const gate = new OutputGate((byte) => shown.push(String.fromCharCode(byte)));
  const disk = new RewindableStore(new MemoryStore(fileSystemImage.slice()));
  const machine = new Machine({ kernel: kernelElf, disk, harts, output: gate.sink });
  const history = new History(machine, gate, budget);
  return { machine, history, text: () => shown.join('') };
}
