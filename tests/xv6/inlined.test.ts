/** Kernels without some of the functions that the checker goes by, as compilers leave them that inline these everywhere. */
import { describe, expect, it } from 'vitest';
import { checkedImage, runCommands } from '../support/checked.js';
import { withoutSymbols } from '../support/hidden.js';
import { kernelElf } from '../support/images.js';

const LONG = { timeout: 300_000 };

const run = async (names: readonly string[], commands: readonly string[]) => {
  const image = checkedImage(0, 1, { symbols: withoutSymbols(kernelElf, names) });
  await runCommands(image, commands);
  return image.checker;
};

describe('the checker finds nothing in a correct kernel', () => {
  it.each([
    ['kalloc', 'echo', 'frames: this kernel has no function kalloc'],
    ['kfree', 'echo', 'frames: this kernel has no function kfree'],
    ['uvmcopy', 'echo', 'what fork copies: this kernel has no function uvmcopy'],
    ['kmalloc', 'mmaptest', 'kernel blocks: this kernel has no function kmalloc'],
    ['kmfree', 'mmaptest', 'kernel blocks: this kernel has no function kmfree'],
    [
      'munmap sys_munmap',
      'mmaptest',
      'mmap regions: this kernel has no functions mmap and munmap, nor sys_mmap and sys_munmap',
    ],
    ['inode_write_all inode_write writei', 'mmaptest', undefined],
  ])('without %s, and says what is not checked', LONG, async (hidden, command, unchecked) => {
    const names = hidden.split(' ');
    const { findings, notChecked } = await run(names, [command]);
    expect(findings).toEqual([]);
    if (unchecked !== undefined) expect(notChecked).toContain(unchecked);
  });

  it('that gives back the regions of a process in no function of its own', LONG, async () => {
    const { findings } = await run(['mmap_release'], ['mmaptest', 'mmaptest']);
    expect(findings).toEqual([]);
  });
});

describe('where mmap and munmap are in their system calls, the checker goes by these', () => {
  const run = async (fault: number) => {
    const symbols = withoutSymbols(kernelElf, ['mmap', 'mmap_copy', 'mmap_release']);
    const image = checkedImage(fault, 1, { symbols });
    await runCommands(image, ['mmaptest'], () => image.checker.findings.length > 0);
    return image.checker;
  };

  it('and finds nothing in a correct kernel', LONG, async () => {
    const { findings, notChecked } = await run(0);
    expect(findings).toEqual([]);
    expect(notChecked).toEqual([]);
  });

  it.each([
    [32, 'mmap-overlap'],
    [33, 'munmap-leaves-page'],
    [34, 'mmap-protection'],
    [35, 'not-written-back'],
  ])('and finds fault %i', LONG, async (fault, rule) => {
    expect((await run(fault)).findings[0]).toMatchObject({ rule });
  });
});
