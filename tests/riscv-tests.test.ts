/**
 * Runs the binaries of riscv-tests in the directory that RISCV_TESTS names: the suites for the base, M, A, C, and the
 * machine and supervisor levels, in the environments p (physical addresses) and v (virtual ones).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Machine } from '../src/machine/machine.js';

const directory = process.env.RISCV_TESTS;

const SUITES = /^rv64(ui|um|ua|uc|mi|si)-[pv]-/;
/** The longest of them takes less than 20 thousand. */
const CYCLES = 1_000_000;

describe('riscv-tests', () => {
  if (directory === undefined) {
    test.skip('are run when RISCV_TESTS names the directory with their binaries', () => {});
    return;
  }
  // Beside the binaries lie their disassemblies, told by an extension.
  const binaries = readdirSync(directory).filter((name) => /^rv\d+[^.]*$/.test(name));

  test('are there', () => {
    expect(binaries.filter((name) => SUITES.test(name))).not.toEqual([]);
  });

  for (const name of binaries) {
    if (SUITES.test(name)) {
      test(name, () => {
        const machine = new Machine({ kernel: readFileSync(join(directory, name)) });
        expect(machine.run(CYCLES)).toMatchObject({ kind: 'finished', code: 0 });
      });
    } else {
      const suite = name.split('-')[0];
      test.skip(`${name} is left out: ${suite} tests what this machine does not have`, () => {});
    }
  }
});
