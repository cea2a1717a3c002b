// Open files, and reading and writing through them, whatever they are.
#include "file.h"
#include "device.h"
#include "fs.h"
#include "print.h"
#include "proc.h"

// Reads and writes go in pieces: a write of a piece to a file fits in a transaction.
#define PIECE TRANSACTION_BYTES

struct device devices[NDEV];

static struct {
  struct spinlock lock; // guards references of all
  struct file files[NFILE];
} table;

void file_table_init(void) { spinlock_init(&table.lock, "file table"); }

struct file *file_allocate(void) {
  struct file *result = 0;
  acquire(&table.lock);
  for (struct file *file = table.files; file < table.files + NFILE && !result; file++) {
    if (file->references == 0) {
      *file = (struct file){.kind = FILE_NONE, .references = 1};
      result = file;
    }
  }
  release(&table.lock);
  return result;
}

struct file *file_share(struct file *file) {
  acquire(&table.lock);
  if (file->references < 1)
    panic("file_share: %d references", file->references);
  file->references++;
  release(&table.lock);
  return file;
}

void file_close(struct file *file) {
  acquire(&table.lock);
  if (file->references < 1)
    panic("file_close: %d references", file->references);
  struct file closed = *file;
  file->references--;
  release(&table.lock);
  if (closed.references > 1)
    return;

  if (closed.kind == FILE_PIPE) {
    pipe_close(closed.pipe, closed.writable);
  } else if (closed.kind != FILE_NONE) {
    log_begin();
    inode_put(closed.inode);
    log_end();
  }
}

int file_stat(struct file *file, uint64_t user_address) {
  struct stat stat;
  if (file->kind == FILE_PIPE)
    return -1;
  inode_lock(file->inode);
  inode_stat(file->inode, &stat);
  inode_unlock(file->inode);
  return copy_to(true, user_address, &stat, sizeof(stat));
}

static int read_piece(struct file *file, uint64_t user_address, int length) {
  if (file->kind == FILE_PIPE)
    return pipe_read(file->pipe, user_address, length);
  if (file->kind == FILE_DEVICE)
    return devices[file->major].read ? devices[file->major].read(true, user_address, length) : -1;

  inode_lock(file->inode);
  int count = inode_read(file->inode, true, user_address, file->offset, length);
  if (count > 0)
    file->offset += count;
  inode_unlock(file->inode);
  return count;
}

static int write_piece(struct file *file, uint64_t user_address, int length) {
  if (file->kind == FILE_PIPE)
    return pipe_write(file->pipe, user_address, length);
  if (file->kind == FILE_DEVICE)
    return devices[file->major].write ? devices[file->major].write(true, user_address, length) : -1;

  log_begin();
  inode_lock(file->inode);
  int count = inode_write(file->inode, true, user_address, file->offset, length);
  if (count > 0)
    file->offset += count;
  inode_unlock(file->inode);
  log_end();
  return count;
}

// Moves bytes piece by piece until all are moved, a piece comes out short, or (`once`) after the first. Returns the
// number moved; -1 if there is an error and none was.
//
// The user's pages are made present before each piece, because the copying below happens with locks held, where a
// fault on a page that mmap has yet to read from a file could not be served.
static int move(int (*piece)(struct file *, uint64_t, int), bool to_user, bool once, struct file *file,
                uint64_t user_address, int length) {
  int done = 0;
  if (length < 0)
    return -1;
  do {
    int wanted = length - done < PIECE ? length - done : PIECE;
    user_prefault(user_address + done, wanted, to_user);
    int count = piece(file, user_address + done, wanted);
    if (count < 0)
      return done > 0 ? done : -1;
    done += count;
    if (count < wanted)
      break;
  } while (done < length && !once);
  return done;
}

// Reads to a user address. From a pipe or a device it returns as soon as there is something, else it reads all that
// is asked for, as far as the file goes. Returns the number of bytes read, 0 at the end, -1 for an error.
int file_read(struct file *file, uint64_t user_address, int length) {
  if (!file->readable)
    return -1;
  return move(read_piece, true, file->kind != FILE_INODE, file, user_address, length);
}

// Writes from a user address. Returns the number of bytes written: all of them, unless the disk or the file is full,
// the address goes bad, or nobody will read the pipe; -1 if none was.
int file_write(struct file *file, uint64_t user_address, int length) {
  if (!file->writable)
    return -1;
  return move(write_piece, false, false, file, user_address, length);
}

int inode_write_all(struct inode *inode, bool user, uint64_t from, uint32_t offset, uint32_t length) {
  uint32_t done = 0;
  while (done < length) {
    uint32_t wanted = length - done < PIECE ? length - done : PIECE;
    log_begin();
    inode_lock(inode);
    int count = inode_write(inode, user, from + done, offset + done, wanted);
    inode_unlock(inode);
    log_end();
    if (count < 0)
      return done > 0 ? (int)done : -1;
    done += count;
    if ((uint32_t)count < wanted)
      break;
  }
  return done;
}
