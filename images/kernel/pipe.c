// Pipes: a ring of bytes between two open files.
#include "file.h"
#include "lock.h"
#include "memory.h"
#include "proc.h"

#define PIPE_SIZE 2048 // a power of two, so that the totals may wrap around

struct pipe {
  struct spinlock lock;
  bool reader_open;
  bool writer_open;
  uint32_t read_total;    // bytes read so far; readers sleep on written_total,
  uint32_t written_total; // and writers on read_total
  uint8_t data[PIPE_SIZE];
};
_Static_assert(sizeof(struct pipe) <= PAGE_SIZE, "a pipe fits in a frame");

// Makes a pipe and an open file for each end. Returns 0, or -1 if memory or the file table is full.
int pipe_open(struct file **reader, struct file **writer) {
  struct pipe *pipe = kalloc();
  *reader = file_allocate();
  *writer = file_allocate();
  if (pipe == 0 || *reader == 0 || *writer == 0) {
    if (pipe)
      kfree(pipe);
    if (*reader)
      file_close(*reader);
    if (*writer)
      file_close(*writer);
    return -1;
  }

  spinlock_init(&pipe->lock, "pipe");
  pipe->reader_open = pipe->writer_open = true;
  pipe->read_total = pipe->written_total = 0;
  (*reader)->kind = (*writer)->kind = FILE_PIPE;
  (*reader)->pipe = (*writer)->pipe = pipe;
  (*reader)->readable = true;
  (*writer)->writable = true;
  return 0;
}

// Closes one end; the pipe goes with its second.
void pipe_close(struct pipe *pipe, bool writing_end) {
  acquire(&pipe->lock);
  if (writing_end)
    pipe->writer_open = false;
  else
    pipe->reader_open = false;
  bool unused = !pipe->reader_open && !pipe->writer_open;
  wake_all(&pipe->written_total);
  wake_all(&pipe->read_total);
  release(&pipe->lock);
  if (unused)
    kfree(pipe);
}

// How many of `wanted` bytes can move at once: at most `available`, and not past the ring's end.
static uint32_t span(uint32_t total, uint32_t available, uint32_t wanted) {
  uint32_t count = PIPE_SIZE - total % PIPE_SIZE;
  if (count > available)
    count = available;
  return count < wanted ? count : wanted;
}

// Reads what there is, `length` bytes at most; waits while there is nothing. Returns the number of bytes read, 0 if
// nothing will come any more, -1 for a bad address or a process that was killed.
int pipe_read(struct pipe *pipe, uint64_t user_address, int length) {
  int done = 0;
  bool bad = false;
  acquire(&pipe->lock);
  while (pipe->read_total == pipe->written_total && pipe->writer_open && !bad) {
    bad = process_killed(current_process());
    if (!bad)
      sleep_on(&pipe->written_total, &pipe->lock);
  }
  while (done < length && pipe->read_total != pipe->written_total && !bad) {
    uint32_t count = span(pipe->read_total, pipe->written_total - pipe->read_total, length - done);
    bad = copy_to(true, user_address + done, pipe->data + pipe->read_total % PIPE_SIZE, count) < 0;
    if (!bad) {
      pipe->read_total += count;
      done += count;
    }
  }
  wake_all(&pipe->read_total);
  release(&pipe->lock);
  return bad && done == 0 ? -1 : done;
}

// Writes all bytes, waiting for room. Returns fewer if the address goes bad, the process is killed, or there is no
// reader any more; -1 if none was written.
int pipe_write(struct pipe *pipe, uint64_t user_address, int length) {
  int done = 0;
  bool bad = false;
  acquire(&pipe->lock);
  while (done < length && !bad) {
    uint32_t room = PIPE_SIZE - (pipe->written_total - pipe->read_total);
    if (!pipe->reader_open || process_killed(current_process())) {
      bad = true;
    } else if (room == 0) {
      wake_all(&pipe->written_total);
      sleep_on(&pipe->read_total, &pipe->lock);
    } else {
      uint32_t count = span(pipe->written_total, room, length - done);
      bad = copy_from(pipe->data + pipe->written_total % PIPE_SIZE, true, user_address + done, count) < 0;
      if (!bad) {
        pipe->written_total += count;
        done += count;
      }
    }
  }
  wake_all(&pipe->written_total);
  release(&pipe->lock);
  return bad && done == 0 ? -1 : done;
}
