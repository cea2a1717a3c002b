// The file system: its format on disk, the buffer cache, the log, inodes, directories and paths.
//
// The disk, in blocks of 1024 bytes (the format of xv6-riscv, so that disks may be exchanged with it):
//
//   boot | superblock | log: header, data... | inodes | bitmap | data...
//
// Layers, from below: disk (disk.c), buffer cache (bio.c), log (log.c), inodes, directories and paths (fs.c), open
// files and pipes (file.c, pipe.c), system calls (sysfile.c). A layer calls only those below it.
//
// Rules for callers:
// - Whatever may change the disk happens between log_begin and log_end. That includes inode_put, which frees an
//   unlinked inode with its last reference.
// - An inode's `disk` may be looked at only between inode_lock and inode_unlock.
// - Who locks two inodes locks the directory first and then what is in it.
// - All of these may sleep: call them from a process that holds no spinlock.
#pragma once
#include "fs_interface.h"
#include "lock.h"
#include "param.h"
#include <stdbool.h>
#include <stdint.h>

#define BLOCK_SIZE 1024
#define FS_MAGIC 0x10203040
#define ROOT_INODE 1

#define DIRECT_BLOCKS 12
#define INDIRECT_BLOCKS (BLOCK_SIZE / sizeof(uint32_t))
#define MAX_FILE_BLOCKS (DIRECT_BLOCKS + INDIRECT_BLOCKS)

// Blocks that one transaction may change, and that the log's header can list.
#define TRANSACTION_BLOCKS 10
#define LOG_ENTRIES (3 * TRANSACTION_BLOCKS)

// Bytes of a file that one transaction may write. Of its 10 blocks the inode and the indirect block take two, and a
// write that starts within a block, one more; each of the three remaining data blocks, and the one more, may come
// with a block of the bitmap.
#define TRANSACTION_BYTES (3 * BLOCK_SIZE)

struct superblock {
  uint32_t magic;
  uint32_t size; // of the whole disk, in blocks
  uint32_t data_blocks;
  uint32_t inodes;
  uint32_t log_blocks; // header included
  uint32_t log_start;
  uint32_t inode_start;
  uint32_t bitmap_start;
};

struct disk_inode {
  int16_t type;
  int16_t major; // T_DEVICE only
  int16_t minor; // T_DEVICE only
  int16_t links; // directory entries that name this inode; a directory's own `.` does not count
  uint32_t size; // in bytes
  uint32_t blocks[DIRECT_BLOCKS + 1]; // 0 where there is none; the last one lists INDIRECT_BLOCKS more
};

// An inode in memory: there is one for each number in use. While it has references it stays in the table, and on
// disk its number is not given to another file.
struct inode {
  uint32_t number;
  int references; // guarded by the table's lock

  struct sleeplock lock; // guards the rest
  bool loaded;           // `disk` has been read
  struct disk_inode disk;
};

// A cached block, held by one process between buffer_read and buffer_release.
struct buffer {
  uint32_t block;
  int references;     // guarded by the cache's lock, as is last_used
  uint64_t last_used; // when references last became 0, counted in releases

  struct sleeplock lock; // guards the rest
  bool valid;            // `data` holds the block's contents
  uint8_t data[BLOCK_SIZE];
};

// bio.c
void buffer_init(void);
struct buffer *buffer_read(uint32_t block);
void buffer_write(struct buffer *buffer);
void buffer_release(struct buffer *buffer);
void buffer_pin(struct buffer *buffer);
void buffer_unpin(struct buffer *buffer);

// log.c
void log_init(const struct superblock *superblock);
void log_begin(void);
void log_write(struct buffer *buffer);
void log_end(void);

// fs.c
void inode_table_init(void);
void fs_mount(void); // by the first process: it reads the disk, so it sleeps
struct inode *inode_get(uint32_t number);
struct inode *inode_allocate(int type);
struct inode *inode_share(struct inode *inode);
void inode_lock(struct inode *inode);
void inode_unlock(struct inode *inode);
void inode_put(struct inode *inode);
void inode_unlock_put(struct inode *inode);
void inode_update(struct inode *inode);
void inode_truncate(struct inode *inode, uint32_t size);
void inode_stat(struct inode *inode, struct stat *stat);
int inode_read(struct inode *inode, bool user, uint64_t to, uint32_t offset, uint32_t length);
int inode_write(struct inode *inode, bool user, uint64_t from, uint32_t offset, uint32_t length);

// directory.c
struct inode *directory_lookup(struct inode *directory, const char *name, uint32_t *offset);
int directory_add(struct inode *directory, const char *name, uint32_t number);
void directory_remove(struct inode *directory, uint32_t offset);
bool directory_is_empty(struct inode *directory);
struct inode *path_lookup(const char *path);
struct inode *path_lookup_parent(const char *path, char *name); // name has room for NAME_LENGTH bytes
