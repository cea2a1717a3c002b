/** The correct kernel has no findings, and runs the same with the checker and without. */
import { describe, expect, it } from 'vitest';
import { checkedImage, runCommands } from '../support/checked.js';
import { bootImage } from '../support/images.js';

const LONG = { timeout: 600_000 };

describe('the checker finds nothing', () => {
  it.each([1, 3])("in the project's kernel running its tests on %i harts", LONG, async (harts) => {
    const image = checkedImage(0, harts);
    await runCommands(image, ['memtest', 'kmalloctest', 'mmaptest', 'forktest', 'fstest']);
    expect(image.checker.findings).toEqual([]);
    expect(image.checker.notChecked).toEqual([]);
    expect(image.text().match(/passed/g)).toHaveLength(5);
  });
});

describe('the checker', () => {
  it('changes nothing', LONG, async () => {
    const [plain, checked] = [bootImage({ harts: 2 }), checkedImage(0, 2)];
    plain.machine.run(45_000_000);
    checked.machine.run(45_000_000);
    expect(checked.machine.hash()).toBe(plain.machine.hash());
  });
});
