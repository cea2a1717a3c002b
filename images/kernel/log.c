// The log: makes the changes of a file-system call reach the disk all together or not at all.
//
// A call that changes the disk is a transaction, from log_begin to log_end. Its changed blocks stay in the buffer
// cache. Transactions that overlap in time form a group, which is committed when the last of them ends:
//
//   1. the changed blocks are written to the log;
//   2. the log's header, which lists where they belong, is written: from here on the group counts;
//   3. the blocks are written where they belong;
//   4. the header is written with a count of 0.
//
// A machine that stops before 2 has done nothing; one that stops after it finds the list at its next mount, and
// does 3 and 4 (again). It may stop between the two sectors of a block, too: the header lies in the first.
//
// On disk the log is the header's block and then one block for each entry, in the order of the header's list.
#include "device.h"
#include "fs.h"
#include "print.h"
#include "proc.h"

struct header {
  uint32_t count;
  uint32_t blocks[LOG_ENTRIES];
};

_Static_assert(sizeof(struct header) <= 512, "the header lies in one sector, which is written wholly or not at all");

static struct {
  struct spinlock lock;
  uint32_t start;    // block of the header
  uint32_t capacity; // entries there is room for
  int transactions;  // open ones
  bool committing;   // nobody may begin
  union {
    struct header header; // of the group so far
    uint8_t header_block[BLOCK_SIZE];
  };
} log;

static void write_header(void) { disk_rw(log.start, log.header_block, true); }

// Replays what the log holds. Panics if the log makes no sense.
void log_init(const struct superblock *superblock) {
  spinlock_init(&log.lock, "log");
  log.start = superblock->log_start;
  log.capacity = superblock->log_blocks - 1;
  if (log.capacity > LOG_ENTRIES)
    log.capacity = LOG_ENTRIES;
  if (log.capacity < TRANSACTION_BLOCKS)
    panic("log_init: %u blocks are too few for a transaction", superblock->log_blocks);

  disk_rw(log.start, log.header_block, false);
  if (log.header.count > log.capacity)
    panic("log_init: the header lists %u blocks, there is room for %u", log.header.count, log.capacity);
  for (uint32_t i = 0; i < log.header.count; i++) {
    uint32_t block = log.header.blocks[i];
    if (block < superblock->inode_start || block >= superblock->size)
      panic("log_init: entry %u is for block %u, outside the file system", i, block);
    struct buffer *buffer = buffer_read(block);
    disk_rw(log.start + 1 + i, buffer->data, false);
    buffer_write(buffer);
    buffer_release(buffer);
  }
  log.header.count = 0;
  write_header();
}

// Begins a transaction. Waits while a group is being committed, or as long as the log might not have room for all
// that the open transactions may still change.
void log_begin(void) {
  acquire(&log.lock);
  while (log.committing || log.header.count + (log.transactions + 1) * TRANSACTION_BLOCKS > log.capacity)
    sleep_on(&log, &log.lock);
  log.transactions++;
  release(&log.lock);
}

// Adds a block to the transaction; the caller has changed its buffer and still holds it.
void log_write(struct buffer *buffer) {
  acquire(&log.lock);
  if (log.transactions < 1)
    panic("log_write: block %u, outside a transaction", buffer->block);
  uint32_t i = 0;
  while (i < log.header.count && log.header.blocks[i] != buffer->block)
    i++;
  if (i == log.header.count) {
    if (i == log.capacity)
      panic("log_write: block %u is one more than the log's %u", buffer->block, log.capacity);
    log.header.blocks[log.header.count++] = buffer->block;
    buffer_pin(buffer);
  }
  release(&log.lock);
}

// Steps 1 to 4. No transaction is open, so no one changes the blocks or the header meanwhile.
static void commit(void) {
  struct buffer *buffer;
  for (uint32_t i = 0; i < log.header.count; i++) {
    buffer = buffer_read(log.header.blocks[i]);
    disk_rw(log.start + 1 + i, buffer->data, true);
    buffer_release(buffer);
  }
  write_header();
  for (uint32_t i = 0; i < log.header.count; i++) {
    buffer = buffer_read(log.header.blocks[i]);
    buffer_write(buffer);
    buffer_unpin(buffer);
    buffer_release(buffer);
  }
  log.header.count = 0;
  write_header();
}

// Ends a transaction. If no other is open, the group is on disk when this returns.
void log_end(void) {
  acquire(&log.lock);
  if (--log.transactions == 0 && log.header.count > 0) {
    log.committing = true;
    release(&log.lock);
    commit();
    acquire(&log.lock);
    log.committing = false;
  }
  wake_all(&log); // even without a commit: this transaction may have changed less than was set aside for it
  release(&log.lock);
}
