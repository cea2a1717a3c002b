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
    ['munmap', 'mmaptest', 'mmap regions: this kernel has no functions mmap and munmap'],
    ['inode_write_all', 'mmaptest', undefined],
  ])('without %s, and says what is not checked', LONG, async (name, command, unchecked) => {
    const names = name === 'inode_write_all' ? [name, 'inode_write', 'writei'] : [name];
    const { findings, notChecked } = await run(names, [command]);
    expect(findings).toEqual([]);
    if (unchecked !== undefined) expect(notChecked).toContain(unchecked);
  });

  it('that gives back the regions of a process in no function of its own', LONG, async () => {
    const { findings } = await run(['mmap_release'], ['mmaptest', 'mmaptest']);
    expect(findings).toEqual([]);
  });
});
