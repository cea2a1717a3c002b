/** Each fault of the project's kernel (images/kernel/fault.h) is found, by the rule that is meant for it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Place, Places } from '../../src/debug/places.js';
import type { RuleId } from '../../src/xv6/rules.js';
import { checkedImage, runCommands } from '../support/checked.js';
import { kernelElf } from '../support/images.js';

/** Number and name of the fault, the rule, and the commands that bring it about where booting does not. */
const FAULTS: readonly (readonly [number, string, RuleId, readonly string[]])[] = [
  [1, 'DOUBLE_FREE', 'free-list-corrupt', []],
  [2, 'FREE_MISALIGNED', 'bad-free', []],
  [3, 'FREE_OUT_OF_RANGE', 'bad-free', []],
  [4, 'FREE_MAPPED', 'still-mapped', []],
  [5, 'LEAK_IN_UVMALLOC', 'frame-lost', ['memtest']],
  [6, 'LEAK_IN_UVMCOPY', 'frame-lost', ['forktest']],
  [7, 'LEAK_IN_EXEC', 'frame-lost', ['README', 'echo', 'echo']],
  [8, 'LEAK_IN_FORK', 'frame-lost', ['forktest']],
  [9, 'WRITE_AFTER_FREE', 'write-after-free', ['echo']],
  [10, 'READ_AFTER_FREE', 'read-after-free', ['echo']],
  [11, 'LOST_TAIL', 'free-list-corrupt', []],
  [12, 'FREE_JUNK_SKIPPED', 'freed-not-filled', []],
  [13, 'ALLOCATED_JUNK_SKIPPED', 'allocated-not-filled', []],
  [14, 'WALK_WRONG_LEVEL', 'wrong-walk', []],
  [15, 'MAPPAGES_OFF_BY_ONE', 'wrong-entry', []],
  [16, 'MISSING_ROUNDING', 'unmapped-in-use', ['memtest']],
  [17, 'REMAP_ALLOWED', 'remap', []],
  [18, 'TEXT_WRITABLE', 'text-writable', []],
  [19, 'KERNEL_PAGE_USER', 'kernel-memory-user', []],
  [20, 'USER_PAGE_WITHOUT_U', 'wrong-entry', []],
  [21, 'GUARD_PAGE_MAPPED', 'guard-page-mapped', []],
  [22, 'TRAMPOLINE_WRITABLE', 'trampoline-exposed', []],
  [23, 'TABLE_FREED_TWICE', 'frame-freed-twice', []],
  [24, 'LEAF_LEFT', 'leaf-left', []],
  [25, 'UVMCOPY_SHARES', 'frame-shared', []],
  [29, 'KMALLOC_OVERLAP', 'kmalloc-overlap', ['kmalloctest']],
  [30, 'KMFREE_STRANGER', 'kmfree-stranger', ['kmalloctest']],
  [31, 'KMALLOC_UNCHECKED', 'kmalloc-too-large', ['kmalloctest']],
  [32, 'MMAP_OVERLAP', 'mmap-overlap', ['mmaptest']],
  [33, 'MUNMAP_LEAVES_PAGE', 'munmap-leaves-page', ['mmaptest']],
  [34, 'MMAP_PROT_IGNORED', 'mmap-protection', ['mmaptest']],
  [35, 'NO_WRITE_BACK', 'not-written-back', ['mmaptest']],
  [36, 'FREE_LIST_UNLOCKED', 'free-list-unlocked', []],
  [37, 'LOCK_ORDER', 'lock-order', ['forktest']],
  [38, 'USER_GUARD_OPEN', 'guard-page-open', []],
  [39, 'TRAPFRAME_USER', 'trampoline-exposed', []],
  [40, 'COPYOUT_TO_READ_ONLY', 'copyout-to-read-only', ['memtest']],
  [41, 'GROWTH_WRONG_SIZE', 'beyond-size', ['memtest']],
  [42, 'EXEC_KEEPS_OLD', 'frame-lost', ['echo', 'echo']],
  [43, 'GROWTH_OF_PARENT', 'frame-of-another', ['memtest']],
  [44, 'KMFREE_UNLOCKED', 'free-list-unlocked', ['mmaptest', 'kmalloctest']],
];

const LONG = { timeout: 300_000 };

/** The line of the project's sources at a place. */
function sourceLine({ file, line }: Place): string {
  const path = new URL(`../../images/kernel/${file!.split('/').at(-1)}`, import.meta.url);
  return readFileSync(path, 'utf8').split('\n')[line! - 1];
}

describe('the checker', () => {
  it.each(FAULTS)('finds fault %i, %s, as %s', LONG, async (fault, _, rule, commands) => {
    const image = checkedImage(fault);
    const isFound = (): boolean => image.checker.findings.some((finding) => finding.rule === rule);
    await runCommands(image, commands, isFound);
    expect(image.checker.findings.map((finding) => finding.rule)).toContain(rule);
  });

  it(
    'points at the call that frees a frame twice, and at the beginning of a function that does not do what it should',
    LONG,
    async () => {
      const places = new Places(kernelElf);
      const placeOf = async (fault: number, rule: RuleId) => {
        const { checker, ...image } = checkedImage(fault);
        const of = () => checker.findings.find((finding) => finding.rule === rule);
        await runCommands({ checker, ...image }, [], () => of() !== undefined);
        return places.ofStack(of()!.event.stack)[0];
      };
      const call = await placeOf(23, 'frame-freed-twice');
      expect(call.name).toMatch(/^vm_free\+0x/);
      expect(sourceLine(call)).toContain('kfree(');
      const start = await placeOf(14, 'wrong-walk');
      expect(start.name).toBe('walk');
    },
  );

  it('tells where a frame was written to after it was freed, and who freed it', LONG, async () => {
    const image = checkedImage(9);
    await runCommands(image, ['echo'], () => image.checker.findings.length > 0);
    const [finding] = image.checker.findings;
    const places = new Places(kernelElf);
    const functions = (stack: readonly number[]): string[] =>
      places.ofStack(stack).map((place) => place.name.replace(/\+.*/, ''));
    expect(functions(finding.event.stack).slice(0, 2)).toEqual(['process_free', 'wait']);
    const freed = finding.history!.find((each) => each.what === 'freed')!;
    expect(functions(freed.event.stack).slice(0, 3)).toEqual(['kfree', 'process_free', 'wait']);
    const [place] = places.ofStack(finding.event.stack);
    expect(place.file).toMatch(/kernel\/proc\.c$/);
    expect(place.line).toBeGreaterThan(0);
    expect(finding.event.process?.name).toBe('sh');
  });
});
