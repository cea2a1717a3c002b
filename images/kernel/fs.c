// Blocks and inodes.
#include "fs.h"
#include "print.h"
#include "proc.h"
#include "string.h"

#define BITS_PER_BLOCK (8 * BLOCK_SIZE)
#define INODES_PER_BLOCK (BLOCK_SIZE / sizeof(struct disk_inode))

static struct superblock superblock;

static struct {
  struct spinlock lock; // guards number and references of all
  struct inode inodes[NINODE];
} table;

void inode_table_init(void) {
  spinlock_init(&table.lock, "inode table");
  for (int i = 0; i < NINODE; i++)
    sleeplock_init(&table.inodes[i].lock, "inode");
}

// Allocates a block and fills it with zeros. Returns 0 if the disk is full.
static uint32_t block_allocate(void) {
  for (uint32_t first = 0; first < superblock.size; first += BITS_PER_BLOCK) {
    struct buffer *bitmap = buffer_read(superblock.bitmap_start + first / BITS_PER_BLOCK);
    for (uint32_t i = 0; i < BITS_PER_BLOCK && first + i < superblock.size; i++) {
      if (bitmap->data[i / 8] == 0xff) {
        i |= 7;
        continue;
      }
      if (bitmap->data[i / 8] & (1 << i % 8))
        continue;
      bitmap->data[i / 8] |= 1 << i % 8;
      log_write(bitmap);
      buffer_release(bitmap);

      struct buffer *block = buffer_read(first + i);
      memset(block->data, 0, BLOCK_SIZE);
      log_write(block);
      buffer_release(block);
      return first + i;
    }
    buffer_release(bitmap);
  }
  return 0;
}

static void block_free(uint32_t block) {
  struct buffer *bitmap = buffer_read(superblock.bitmap_start + block / BITS_PER_BLOCK);
  uint32_t i = block % BITS_PER_BLOCK;
  if ((bitmap->data[i / 8] & (1 << i % 8)) == 0)
    panic("block_free: block %u is free", block);
  bitmap->data[i / 8] &= ~(1 << i % 8);
  log_write(bitmap);
  buffer_release(bitmap);
}

// The inode of the given number, with one more reference; not locked, and perhaps not yet read from the disk.
// Returns 0 if the table is full.
struct inode *inode_get(uint32_t number) {
  struct inode *free = 0;
  acquire(&table.lock);
  for (struct inode *inode = table.inodes; inode < table.inodes + NINODE; inode++) {
    if (inode->references > 0 && inode->number == number) {
      inode->references++;
      release(&table.lock);
      return inode;
    }
    if (inode->references == 0)
      free = inode;
  }
  if (free) {
    free->number = number;
    free->references = 1;
    free->loaded = false;
  }
  release(&table.lock);
  return free;
}

struct inode *inode_share(struct inode *inode) {
  acquire(&table.lock);
  inode->references++;
  release(&table.lock);
  return inode;
}

// The place of an inode on disk, within a buffer that the caller releases.
static struct disk_inode *disk_inode(uint32_t number, struct buffer **buffer) {
  *buffer = buffer_read(superblock.inode_start + number / INODES_PER_BLOCK);
  return (struct disk_inode *)(*buffer)->data + number % INODES_PER_BLOCK;
}

// Finds a free inode on disk and gives it a type. Returns it with one reference, not locked and with no links; 0 if
// there is none, on disk or in the table.
struct inode *inode_allocate(int type) {
  for (uint32_t number = ROOT_INODE; number < superblock.inodes; number++) {
    struct buffer *buffer;
    struct disk_inode *on_disk = disk_inode(number, &buffer);
    struct inode *inode = 0;
    bool found = on_disk->type == 0;
    if (found && (inode = inode_get(number)) != 0) {
      memset(on_disk, 0, sizeof(*on_disk));
      on_disk->type = type;
      log_write(buffer);
    }
    buffer_release(buffer);
    if (found)
      return inode;
  }
  return 0;
}

// Makes the caller the only one to use the inode, and reads it from the disk if that has not been done.
void inode_lock(struct inode *inode) {
  sleeplock_acquire(&inode->lock);
  if (!inode->loaded) {
    struct buffer *buffer;
    inode->disk = *disk_inode(inode->number, &buffer);
    buffer_release(buffer);
    inode->loaded = true;
    if (inode->disk.type == 0)
      panic("inode_lock: inode %u is free", inode->number);
  }
}

void inode_unlock(struct inode *inode) {
  if (!sleeplock_holding(&inode->lock))
    panic("inode_unlock: inode %u is not locked", inode->number);
  sleeplock_release(&inode->lock);
}

// Writes the inode's `disk` to the disk, after a change.
void inode_update(struct inode *inode) {
  struct buffer *buffer;
  *disk_inode(inode->number, &buffer) = inode->disk;
  log_write(buffer);
  buffer_release(buffer);
}

// Gives up a reference. With the last reference to an inode that has no links, the inode and its blocks become free.
void inode_put(struct inode *inode) {
  acquire(&table.lock);
  bool unlinked = inode->references == 1 && inode->loaded && inode->disk.links == 0;
  release(&table.lock);
  if (unlinked) {
    // No directory names it and nobody else has it: nobody else can get it until its type on disk is 0.
    inode_lock(inode);
    inode_truncate(inode, 0);
    inode->disk.type = 0;
    inode_update(inode);
    inode->loaded = false;
    inode_unlock(inode);
  }
  acquire(&table.lock);
  inode->references--;
  release(&table.lock);
}

void inode_unlock_put(struct inode *inode) {
  inode_unlock(inode);
  inode_put(inode);
}

void inode_stat(struct inode *inode, struct stat *stat) {
  memset(stat, 0, sizeof(*stat));
  stat->device = ROOTDEV;
  stat->inode = inode->number;
  stat->type = inode->disk.type;
  stat->links = inode->disk.links;
  stat->size = inode->disk.size;
}

// The block that holds block `index` of an inode's bytes. If there is none: one allocated for it if `allocate` is
// set, else 0; 0 too if the disk is full. The caller updates the inode afterwards.
static uint32_t block_of(struct inode *inode, uint32_t index, bool allocate) {
  uint32_t *blocks = inode->disk.blocks;
  if (index < DIRECT_BLOCKS) {
    if (blocks[index] == 0 && allocate)
      blocks[index] = block_allocate();
    return blocks[index];
  }

  if (blocks[DIRECT_BLOCKS] == 0 && allocate)
    blocks[DIRECT_BLOCKS] = block_allocate();
  if (blocks[DIRECT_BLOCKS] == 0)
    return 0;
  struct buffer *indirect = buffer_read(blocks[DIRECT_BLOCKS]);
  uint32_t *entry = (uint32_t *)indirect->data + (index - DIRECT_BLOCKS);
  if (*entry == 0 && allocate && (*entry = block_allocate()) != 0)
    log_write(indirect);
  uint32_t block = *entry;
  buffer_release(indirect);
  return block;
}

// Shortens an inode to `size` bytes, which is at most what it has, and frees all blocks after those.
void inode_truncate(struct inode *inode, uint32_t size) {
  uint32_t *blocks = inode->disk.blocks;
  uint32_t kept = (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
  for (uint32_t i = kept; i < DIRECT_BLOCKS; i++) {
    if (blocks[i])
      block_free(blocks[i]);
    blocks[i] = 0;
  }

  if (blocks[DIRECT_BLOCKS]) {
    struct buffer *indirect = buffer_read(blocks[DIRECT_BLOCKS]);
    uint32_t *entries = (uint32_t *)indirect->data;
    for (uint32_t i = kept > DIRECT_BLOCKS ? kept - DIRECT_BLOCKS : 0; i < INDIRECT_BLOCKS; i++) {
      if (entries[i])
        block_free(entries[i]);
      entries[i] = 0;
    }
    log_write(indirect);
    buffer_release(indirect);
    if (kept <= DIRECT_BLOCKS) {
      block_free(blocks[DIRECT_BLOCKS]);
      blocks[DIRECT_BLOCKS] = 0;
    }
  }
  inode->disk.size = size;
  inode_update(inode);
}

static uint32_t minimum(uint32_t left, uint32_t right) { return left < right ? left : right; }

// Reads up to `length` bytes at `offset` to an address that is the user's if `user`. Returns the number read, fewer
// at the end of the file, or -1 for a bad address.
int inode_read(struct inode *inode, bool user, uint64_t to, uint32_t offset, uint32_t length) {
  if (offset >= inode->disk.size)
    return 0;
  length = minimum(length, inode->disk.size - offset);
  uint32_t done = 0;
  while (done < length) {
    uint32_t position = offset + done;
    uint32_t count = minimum(length - done, BLOCK_SIZE - position % BLOCK_SIZE);
    uint32_t block = block_of(inode, position / BLOCK_SIZE, false);
    if (block == 0)
      return -1;
    struct buffer *buffer = buffer_read(block);
    int result = copy_to(user, to + done, buffer->data + position % BLOCK_SIZE, count);
    buffer_release(buffer);
    if (result < 0)
      return -1;
    done += count;
  }
  return done;
}

// Writes bytes at `offset`, which is at most the file's size, from an address that is the user's if `user`. Returns
// the number written: fewer than `length` if the disk or the file is full or the address goes bad, -1 if none.
// The caller is in a transaction, and `length` small enough for it: see TRANSACTION_BYTES.
int inode_write(struct inode *inode, bool user, uint64_t from, uint32_t offset, uint32_t length) {
  if (offset > inode->disk.size)
    return -1;
  uint32_t limit = minimum(length, MAX_FILE_BLOCKS * BLOCK_SIZE - offset);
  uint32_t done = 0;
  while (done < limit) {
    uint32_t position = offset + done;
    uint32_t count = minimum(limit - done, BLOCK_SIZE - position % BLOCK_SIZE);
    uint32_t block = block_of(inode, position / BLOCK_SIZE, true);
    if (block == 0)
      break;
    struct buffer *buffer = buffer_read(block);
    int result = copy_from(buffer->data + position % BLOCK_SIZE, user, from + done, count);
    log_write(buffer);
    buffer_release(buffer);
    if (result < 0)
      break;
    done += count;
  }

  if (offset + done > inode->disk.size)
    inode->disk.size = offset + done;
  if (done < length)
    inode_truncate(inode, inode->disk.size); // a block may have been allocated in vain
  inode_update(inode);
  return done == 0 && length > 0 ? -1 : (int)done;
}

// Reads the superblock, replays the log, and frees the inodes that were unlinked but still open when the machine
// stopped. Panics if the disk holds no file system.
void fs_mount(void) {
  struct buffer *buffer = buffer_read(1);
  superblock = *(struct superblock *)buffer->data;
  buffer_release(buffer);
  if (superblock.magic != FS_MAGIC)
    panic("fs_mount: magic is 0x%x, not 0x%x", superblock.magic, FS_MAGIC);
  log_init(&superblock);

  for (uint32_t number = ROOT_INODE; number < superblock.inodes; number++) {
    struct disk_inode *on_disk = disk_inode(number, &buffer);
    bool orphan = on_disk->type != 0 && on_disk->links == 0;
    buffer_release(buffer);
    if (orphan) {
      log_begin();
      struct inode *inode = inode_get(number);
      inode_lock(inode);
      inode_unlock_put(inode);
      log_end();
    }
  }
}
