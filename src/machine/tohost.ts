/**
 * The host-target interface that bare-metal tests (riscv-tests) end through: a 64-bit word at the symbol `tohost`.
 *
 *   1                       the tests passed
 *   n · 2 + 1               test n failed
 *   0x0101 << 48 | byte     write a byte to the console; answered by clearing tohost
 */
import type { ByteSink } from '../devices/device.js';
import type { Frames } from '../rv64/frames.js';
import { RAM_START, type State } from '../rv64/state.js';
import { RAM_BASE } from './memory-map.js';
import type { Stop } from './stop.js';
import type { SymbolTable } from './symbols.js';

const CONSOLE_WRITE = 0x0101n;

export interface ToHostSinks {
  onFinish: (stop: Stop) => void;
  /** A store is about to change the word, or one near it. */
  onStore: () => void;
  onByte: ByteSink;
}

/** Watches the words `tohost` of a kernel that has one; returns what is to be called after a watched store. */
export function watchToHost(
  symbols: SymbolTable,
  state: State,
  frames: Frames,
  sinks: ToHostSinks,
): () => void {
  const address = symbols.address('tohost');
  const offset = address === undefined ? -1 : Number(address) - RAM_BASE;
  if (offset < 0 || offset + 8 > state.ramBytes) return () => {};
  frames.watch(offset >>> 12, sinks.onStore);
  return () => {
    const value = state.view.getBigUint64(RAM_START + offset, true);
    if (value >> 48n === CONSOLE_WRITE) {
      sinks.onByte(Number(value & 0xffn));
      state.view.setBigUint64(RAM_START + offset, 0n, true);
    } else if (value === 1n) sinks.onFinish({ kind: 'finished', code: 0, message: 'passed' });
    else if ((value & 1n) === 1n) {
      sinks.onFinish({ kind: 'finished', code: 1, message: `test ${value >> 1n} failed` });
    }
  };
}
