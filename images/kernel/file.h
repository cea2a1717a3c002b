// Open files: what a process's descriptors point to.
//
// A struct file is shared by all descriptors that dup and fork made of it, and by the mmap regions that map it. All
// functions but file_table_init and file_share may sleep.
#pragma once
#include "fs_interface.h"
#include <stdbool.h>
#include <stdint.h>

struct inode;
struct pipe;

struct file {
  enum { FILE_NONE, FILE_PIPE, FILE_INODE, FILE_DEVICE } kind;
  int references; // guarded by the file table's lock
  bool readable;
  bool writable;
  struct pipe *pipe;   // FILE_PIPE
  struct inode *inode; // FILE_INODE and FILE_DEVICE
  uint32_t offset;     // FILE_INODE; guarded by the inode's lock
  int major;           // FILE_DEVICE
};

// file.c
void file_table_init(void);
struct file *file_allocate(void);           // one reference and no kind yet; 0 if the table is full
struct file *file_share(struct file *file); // counts one more reference and returns the file
void file_close(struct file *file);         // not in a transaction
int file_stat(struct file *file, uint64_t user_address);
int file_read(struct file *file, uint64_t user_address, int length);
int file_write(struct file *file, uint64_t user_address, int length);

// Writes any number of bytes at offset, in as many transactions as it takes; for mmap's write-back too. The caller
// is in no transaction and holds no inode. Returns the number of bytes written, or -1 if none was.
int inode_write_all(struct inode *inode, bool user, uint64_t from, uint32_t offset, uint32_t length);

// pipe.c
int pipe_open(struct file **reader, struct file **writer);
void pipe_close(struct pipe *pipe, bool writing_end);
int pipe_read(struct pipe *pipe, uint64_t user_address, int length);
int pipe_write(struct pipe *pipe, uint64_t user_address, int length);
