/*
 * Open files: what a process's file descriptors point to.
 *
 * A struct file is shared by every descriptor that dup and fork made of it, and by the mmap regions that map it;
 * file_share and file_close count them. All functions may sleep.
 */
#ifndef FILE_H
#define FILE_H

#include "types.h"

#define O_RDONLY 0x000
#define O_WRONLY 0x001
#define O_RDWR 0x002
#define O_CREATE 0x200
#define O_TRUNC 0x400

struct inode;
struct pipe;
struct stat;

struct file {
  enum { FILE_NONE, FILE_PIPE, FILE_INODE, FILE_DEVICE } kind;
  int references; /* guarded by the file table's lock */
  char readable;
  char writable;
  struct pipe *pipe;   /* FILE_PIPE */
  struct inode *inode; /* FILE_INODE and FILE_DEVICE */
  uint offset;         /* FILE_INODE; guarded by the inode's lock */
  short major;         /* FILE_DEVICE */
};

/* A device driver's half of read and write, by major number. Both return the count moved, or -1. */
#define DEVICES 10
#define CONSOLE_MAJOR 1

struct device {
  int (*read)(int to_user, uint64 destination, int count);
  int (*write)(int from_user, uint64 source, int count);
};
extern struct device devices[DEVICES]; /* a driver's init function fills in its own entry */

/* file.c */
void file_table_init(void); /* at boot */
struct file *file_allocate(void);
struct file *file_share(struct file *);
void file_close(struct file *);
int file_stat(struct file *, uint64 user_address);
int file_read(struct file *, uint64 user_address, int count);
int file_write(struct file *, uint64 user_address, int count);
/* Writes any number of bytes to an inode in as many transactions as it takes; for mmap's write-back too.
   Neither a transaction nor the inode's lock may be held. Returns the count written, or -1 if none was. */
int inode_write_all(struct inode *, int from_user, uint64 source, uint offset, uint count);

/* pipe.c */
int pipe_open(struct file **reader, struct file **writer);
void pipe_close(struct pipe *, int writing_end);
int pipe_read(struct pipe *, uint64 user_address, int count);
int pipe_write(struct pipe *, uint64 user_address, int count);

#endif
