/*
 * The file system: its format on disk, and the in-memory inode.
 *
 * Layout of the disk, in blocks of 1024 bytes:
 *
 *   boot | superblock | log: header, data... | inodes | bitmap | data...
 *
 * This is the format of xv6-riscv, so disks may be exchanged with it.
 *
 * Layers, from below: disk (disk.c), buffer cache (bio.c), log (log.c), inodes, directories and paths (fs.c),
 * open files and pipes (file.c, pipe.c), system calls (sysfile.c). A layer calls only those below it.
 *
 * Rules for callers:
 *   - Whatever may change the disk happens between log_begin and log_end. That includes inode_put, which frees
 *     an unlinked inode when its last reference goes.
 *   - Fields of an inode other than device and number may be looked at only between inode_lock and inode_unlock.
 *   - All of these may sleep: call them from a process, holding no spinlock.
 */
#ifndef FS_H
#define FS_H

#include "types.h"
#include "lock.h"

#define BLOCK_SIZE 1024
#define FS_MAGIC 0x10203040

#define ROOT_DEVICE 1
#define ROOT_INODE 1

#define DIRECT_BLOCKS 12
#define INDIRECT_BLOCKS (BLOCK_SIZE / sizeof(uint))
#define MAX_FILE_BLOCKS (DIRECT_BLOCKS + INDIRECT_BLOCKS)

#define NAME_LENGTH 14 /* a name of exactly this length has no terminating NUL in its entry */

/* Values of an inode's type; 0 marks a free inode. */
#define T_DIR 1
#define T_FILE 2
#define T_DEVICE 3

struct superblock {
  uint magic;
  uint size;         /* of the whole image, in blocks */
  uint data_blocks;
  uint inodes;
  uint log_blocks;   /* header included */
  uint log_start;
  uint inode_start;
  uint bitmap_start;
};

struct disk_inode {
  short type;
  short major; /* T_DEVICE only */
  short minor; /* T_DEVICE only */
  short links; /* directory entries that name this inode */
  uint size;   /* in bytes */
  uint blocks[DIRECT_BLOCKS + 1]; /* the last is the indirect block; 0 where there is none */
};

struct directory_entry {
  ushort inode; /* 0 marks a free entry */
  char name[NAME_LENGTH];
};

/* What fstat copies out. */
struct stat {
  int device;
  uint inode;
  short type;
  short links;
  uint64 size;
};

/* An inode in memory. It stays in the table, and its number is not reused on disk, while `references` > 0. */
struct inode {
  uint device;
  uint number;
  int references; /* guarded by the table's lock */

  struct sleeplock lock; /* guards all below */
  int loaded;            /* whether `disk` has been read */
  struct disk_inode disk;
};

/* A cached block. Held exclusively between buffer_read and buffer_release. */
struct buffer {
  uint device;
  uint block;
  int valid;            /* whether `data` holds the block's contents */
  int references;       /* guarded by the cache's lock */
  uint64 last_used;     /* guarded by the cache's lock */
  struct sleeplock lock; /* guards `data` and `valid` */
  uchar data[BLOCK_SIZE];
};

/* bio.c */
void buffer_init(void);
struct buffer *buffer_read(uint device, uint block);
void buffer_write(struct buffer *);
void buffer_release(struct buffer *);
void buffer_pin(struct buffer *);
void buffer_unpin(struct buffer *);

/* log.c */
void log_init(uint device, const struct superblock *);
void log_begin(void);
void log_write(struct buffer *);
void log_end(void);

/* fs.c */
void inode_table_init(void); /* at boot, before there are processes */
void fs_mount(uint device);  /* by the first process: replays the log, so it sleeps */
struct inode *inode_allocate(uint device, short type);
struct inode *inode_share(struct inode *);
void inode_lock(struct inode *);
void inode_unlock(struct inode *);
void inode_put(struct inode *);
void inode_unlock_put(struct inode *);
void inode_update(struct inode *);
void inode_truncate(struct inode *, uint size);
void inode_stat(struct inode *, struct stat *);
int inode_read(struct inode *, int to_user, uint64 destination, uint offset, uint count);
int inode_write(struct inode *, int from_user, uint64 source, uint offset, uint count);
struct inode *directory_lookup(struct inode *directory, const char *name, uint *offset);
int directory_add(struct inode *directory, const char *name, uint number);
struct inode *path_lookup(const char *path);
struct inode *path_lookup_parent(const char *path, char name[NAME_LENGTH]);

#endif
