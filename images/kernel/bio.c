// The buffer cache: copies of disk blocks in memory.
//
// A block has at most one buffer, and its sleeplock lets one process at a time use the block; so the cache is also
// where processes that share a block wait for each other. A buffer without references keeps its block until the
// space is needed for another, the least recently used one going first.
#include "device.h"
#include "fs.h"
#include "print.h"

// The log pins LOG_ENTRIES buffers at most, and no process holds more than two: there is always a free one.
#define BUFFERS (LOG_ENTRIES + 2 * NPROC)

static struct {
  struct spinlock lock; // guards block, references and last_used of all buffers
  uint64_t releases;
  struct buffer buffers[BUFFERS];
} cache;

void buffer_init(void) {
  spinlock_init(&cache.lock, "buffer cache");
  for (int i = 0; i < BUFFERS; i++)
    sleeplock_init(&cache.buffers[i].lock, "buffer");
}

// The buffer of the block, with one more reference, not locked.
static struct buffer *buffer_find(uint32_t block) {
  struct buffer *oldest = 0;
  acquire(&cache.lock);
  for (struct buffer *buffer = cache.buffers; buffer < cache.buffers + BUFFERS; buffer++) {
    // Block 0, the boot block, is never read: in a buffer it means that the buffer is empty.
    if (buffer->block == block) {
      buffer->references++;
      release(&cache.lock);
      return buffer;
    }
    if (buffer->references == 0 && (oldest == 0 || buffer->last_used < oldest->last_used))
      oldest = buffer;
  }
  if (oldest == 0)
    panic("buffer_find: all %d buffers are in use", BUFFERS);
  oldest->block = block;
  oldest->valid = false;
  oldest->references = 1;
  release(&cache.lock);
  return oldest;
}

// Returns the buffer of a block, which holds its contents and is the caller's until buffer_release.
struct buffer *buffer_read(uint32_t block) {
  struct buffer *buffer = buffer_find(block);
  sleeplock_acquire(&buffer->lock);
  if (!buffer->valid) {
    disk_rw(block, buffer->data, false);
    buffer->valid = true;
  }
  return buffer;
}

// Writes the contents to the disk at once. Only the log does so; all others call log_write.
void buffer_write(struct buffer *buffer) {
  if (!sleeplock_holding(&buffer->lock))
    panic("buffer_write: block %u is not locked", buffer->block);
  disk_rw(buffer->block, buffer->data, true);
}

void buffer_release(struct buffer *buffer) {
  if (!sleeplock_holding(&buffer->lock))
    panic("buffer_release: block %u is not locked", buffer->block);
  sleeplock_release(&buffer->lock);
  buffer_unpin(buffer);
}

// Keeps a buffer in the cache, though nobody holds it, until buffer_unpin.
void buffer_pin(struct buffer *buffer) {
  acquire(&cache.lock);
  buffer->references++;
  release(&cache.lock);
}

void buffer_unpin(struct buffer *buffer) {
  acquire(&cache.lock);
  if (--buffer->references == 0)
    buffer->last_used = ++cache.releases;
  release(&cache.lock);
}
