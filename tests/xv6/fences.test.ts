/** Missing fences: the faults of the project's kernel that only a strict machine shows, and none in the correct kernel. */
import { describe, expect, it } from 'vitest';
import { Places } from '../../src/debug/places.js';
import { checkedImage, runCommands } from '../support/checked.js';
import { bootImage, kernelElf } from '../support/images.js';

const LONG = { timeout: 600_000 };

/** Number and name of the fault, the rule, where the change was made that is not fenced, and commands that show it. */
const FAULTS = [
  [26, 'NO_FENCE_AFTER_UNMAP', 'stale-translation', 'uvmunmap', ['memtest']],
  [27, 'NO_FENCE_AFTER_PERMISSION', 'stale-translation', 'mmap_fault', ['mmaptest']],
  [28, 'NO_FENCE_I', 'stale-instruction', 'memmove', ['forktest']],
] as const;

describe('with --strict-tlb the checker', () => {
  it.each(FAULTS)('finds fault %i, %s, as %s made in %s', LONG, async (fault, _, rule, where, commands) => {
    const image = checkedImage(fault, 1, { strictTlb: true });
    await runCommands(image, commands, () => image.checker.findings.length > 0);
    const [finding] = image.checker.findings;
    expect(finding.rule).toBe(rule);
    expect(finding.event.hart).toBe(0);
    const { event } = finding.history![0];
    const names = new Places(kernelElf).ofStack(event.stack).map((place) => place.name);
    expect(names.join(' ')).toMatch(new RegExp(`\\b${where}\\b`));
  });

  it.each([
    [1, ['memtest']],
    [3, ['mmaptest', 'ls', 'cat README']],
  ])('finds nothing in the correct kernel on %i harts', LONG, async (harts, commands) => {
    const image = checkedImage(0, harts, { strictTlb: true });
    await runCommands(image, commands);
    expect(image.checker.findings).toEqual([]);
    expect(image.checker.notChecked).toEqual([]);
    expect(image.text()).toContain(', passed');
  });

  it('changes nothing about a kernel that fences where it has to', LONG, () => {
    const [plain, strict] = [bootImage({ harts: 2 }), checkedImage(0, 2, { strictTlb: true })];
    plain.machine.run(45_000_000);
    strict.machine.run(45_000_000);
    expect(strict.machine.hash()).toBe(plain.machine.hash());
  });
});
