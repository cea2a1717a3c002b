// What user programs and the kernel agree on about files.
#pragma once
#include <stdint.h>

// Flags of open.
#define O_RDONLY 0x000
#define O_WRONLY 0x001
#define O_RDWR 0x002
#define O_CREATE 0x200
#define O_TRUNC 0x400

// Types of inodes; 0 marks a free one.
#define T_DIRECTORY 1
#define T_FILE 2
#define T_DEVICE 3

#define CONSOLE_MAJOR 1 // the console's major device number, for mknod

#define NAME_LENGTH 14 // a name of just this length has no final zero in its directory entry

// Reading a directory yields these.
struct directory_entry {
  uint16_t inode; // 0 marks a free entry
  char name[NAME_LENGTH];
};

// What fstat copies out.
struct stat {
  int32_t device;
  uint32_t inode;
  int16_t type;
  int16_t links;
  uint64_t size; // in bytes
};
