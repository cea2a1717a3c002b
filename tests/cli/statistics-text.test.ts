import { describe, expect, it } from 'vitest';
import { statisticsText } from '../../src/cli/statistics-text.js';

const translator = {
  instructions: 9_000_000,
  byRow: 1_000_000,
  translated: 1200,
  reused: 300,
  dropped: 20,
  bytes: 3 << 20,
  budgetBytes: 256 << 20,
  tableSlots: 1201,
  measured: undefined,
};
const statistics = { instructions: 10_000_000, quickFills: 1234, fullWalks: 5, translator };

describe('statistics', () => {
  it('give the speed, and the share of each way to execute an instruction', () => {
    const measured = {
      hits: 7,
      idioms: 2,
      idiomInstructions: 4_000_000,
      millis: { running: 50, translating: 20 },
    };
    const text = statisticsText({ ...statistics, translator: { ...translator, measured } }, 100);
    expect(text).toContain('10,000,000 in 0.10 s: 100.0 MIPS');
    expect(text).toMatch(/^ {2}translated +80\.00 %, 0\.05 s/m);
    expect(text).toMatch(/^ {2}one by one, from translated code +10\.00 %/m);
    expect(text).toMatch(/^ {2}interpreted +10\.00 %, 0\.03 s/m);
    expect(text).toMatch(/1,200 made, 0\.02 s, 300 reused by content, 20 dropped/);
    expect(text).toMatch(/3\.0 MiB of 256\.0 MiB/);
    expect(text).toMatch(/2 fills and copies taken, for 4,000,000 instructions, 40\.00 %/);
    expect(text).toMatch(/TLB hits +7 in translated code/);
    expect(text).toMatch(/1,234 filled quickly, 5 full walks/);
  });

  it('leave out what was not measured', () => {
    expect(statisticsText(statistics, 100)).not.toMatch(/idioms|hits/);
  });

  it('say when everything was interpreted', () => {
    expect(statisticsText({ ...statistics, translator: undefined }, 100)).toMatch(
      /^interpreted +100\.00 %$/m,
    );
  });
});
