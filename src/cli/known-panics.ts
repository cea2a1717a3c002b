/** What a kernel of this family means by the words that it panics with, where it found something wrong by itself. */

/** The end of what the guest printed, and what is wrong then. */
const MEANINGS: readonly (readonly [words: RegExp, meaning: string])[] = [
  [
    /uvmunmap: (walk|not mapped)$/,
    'a page is to be unmapped that is not mapped: it was unmapped before, or never mapped, or the size of the process covers ' +
      'more than is mapped, such as one left as it was when the process shrank',
  ],
  [
    /uvmunmap: not a leaf$/,
    'an entry that is to be unmapped grants nothing: a pointer to a table stands where a page should be mapped',
  ],
  [
    /freewalk: leaf$/,
    'a table is freed that still maps a page: each page has to be unmapped before, also those that lie beyond the size of the process',
  ],
  [
    /(^|: )remap$/,
    'a page is mapped that is mapped already: it was not unmapped, or the size of the process ends before what is mapped',
  ],
  [/: walk$/, 'a virtual address is beyond the highest that a table can map'],
  [
    /uvmcopy: (pte should exist|page not present)$/,
    'fork copies a page that is not mapped: below the size of a process each page has to be, unless pages are mapped when first used',
  ],
  [/: uvmclear$/, 'the page that is to be closed to the user is not mapped'],
  [
    /: kfree$/,
    'kfree was given what is not the address of a frame that kalloc hands out: not aligned, in the kernel itself, or no memory',
  ],
  [/loadseg: address should exist$/, 'a page that a program is to be read into is not mapped'],
  [
    /: acquire$/,
    'a hart acquires a spinlock that it has already: it was not released on some way out, or a function takes it that is called with it',
  ],
  [
    /: release$/,
    'a hart releases a spinlock that it has not: it was released before, or acquired on another hart',
  ],
  [/: pop_off( - interruptible)?$/, 'push_off and pop_off, or acquire and release, do not pair up'],
  [
    /sched p->lock$/,
    'a process gives up its hart without its own lock: whoever changes its state has to hold that',
  ],
  [
    /sched locks$/,
    'a process gives up its hart with a spinlock besides its own: it sleeps, or yields, with that lock held',
  ],
  [/sched (running|RUNNING)$/, 'a process gives up its hart and is still marked as running'],
  [/sched interruptible$/, 'a process gives up its hart with interrupts on'],
  [/: init exiting$/, 'the first program has ended: it could not be loaded, or was killed'],
  [
    /bget: no buffers$/,
    'every buffer is in use: a bread without a brelse, or the cache does not look everywhere for a free one',
  ],
  [/: (brelse|bwrite)$/, 'a buffer is written or given back by a process that has not locked it'],
  [/iget: no inodes$/, 'every inode in memory is in use: an iput is missing'],
  [
    /: (ilock|iunlock)$/,
    'an inode is locked or unlocked to which there is no reference, or that is not locked',
  ],
  [/log_write outside of trans$/, 'a block is written outside of begin_op and end_op'],
  [/too big a transaction$/, 'one system call writes more blocks than the log can take'],
  [/freeing free block$/, 'a block of the disk is freed twice, or was never marked as in use'],
];

/** What is wrong by a panic's words, such as `panic: kfree`; undefined for words that are not known. */
export const meaningOf = (panic: string): string | undefined =>
  MEANINGS.find(([words]) => words.test(panic))?.[1];
