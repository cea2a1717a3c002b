// Directories and paths. A directory is a file of entries, of which those with inode 0 are free.
#include "fs.h"
#include "print.h"
#include "proc.h"
#include "string.h"

#define ENTRY_SIZE sizeof(struct directory_entry)
#define ENTRIES_AT_ONCE 16

// Finds the entry of the given name or, with a name of 0, a free one. Copies it to *entry and returns its offset; -1
// if there is none.
static int find_entry(struct inode *directory, const char *name, struct directory_entry *entry) {
  struct directory_entry entries[ENTRIES_AT_ONCE];
  uint32_t offset = 0;
  int count;
  while ((count = inode_read(directory, false, (uint64_t)entries, offset, sizeof(entries))) > 0) {
    for (int i = 0; i < count / (int)ENTRY_SIZE; i++) {
      bool used = entries[i].inode != 0;
      if (name ? used && strncmp(entries[i].name, name, NAME_LENGTH) == 0 : !used) {
        *entry = entries[i];
        return offset + i * ENTRY_SIZE;
      }
    }
    offset += count;
  }
  return -1;
}

// The inode of a name in a directory that the caller has locked, with one more reference and not locked. Sets
// *offset, unless that is 0, to where the entry is. Returns 0 if there is no such name, or the inode table is full.
struct inode *directory_lookup(struct inode *directory, const char *name, uint32_t *offset) {
  struct directory_entry entry;
  int found = find_entry(directory, name, &entry);
  if (found < 0)
    return 0;
  if (offset)
    *offset = found;
  return inode_get(entry.inode);
}

// Adds an entry to a directory that the caller has locked. Returns -1, with no change, if the name is there already
// or the disk is full.
int directory_add(struct inode *directory, const char *name, uint32_t number) {
  struct directory_entry entry;
  if (find_entry(directory, name, &entry) >= 0)
    return -1;
  int offset = find_entry(directory, 0, &entry);
  if (offset < 0)
    offset = directory->disk.size;
  entry.inode = number;
  strncpy(entry.name, name, NAME_LENGTH);
  return inode_write(directory, false, (uint64_t)&entry, offset, ENTRY_SIZE) == ENTRY_SIZE ? 0 : -1;
}

// Frees the entry at an offset that directory_lookup gave.
void directory_remove(struct inode *directory, uint32_t offset) {
  struct directory_entry entry = {0};
  if (inode_write(directory, false, (uint64_t)&entry, offset, ENTRY_SIZE) != ENTRY_SIZE)
    panic("directory_remove: inode %u, offset %u", directory->number, offset);
}

// Whether a directory, which the caller has locked, holds nothing but `.` and `..`.
bool directory_is_empty(struct inode *directory) {
  struct directory_entry entry;
  for (uint32_t offset = 2 * ENTRY_SIZE; offset < directory->disk.size; offset += ENTRY_SIZE) {
    if (inode_read(directory, false, (uint64_t)&entry, offset, ENTRY_SIZE) != ENTRY_SIZE)
      panic("directory_is_empty: inode %u, offset %u", directory->number, offset);
    if (entry.inode != 0)
      return false;
  }
  return true;
}

// Copies the first name in a path to `name`, cut to NAME_LENGTH bytes, and returns the path after it and the slashes
// that follow. Returns 0 if the path has no name.
static const char *next_name(const char *path, char *name) {
  while (*path == '/')
    path++;
  if (*path == 0)
    return 0;
  int length = 0;
  memset(name, 0, NAME_LENGTH);
  for (; *path && *path != '/'; path++)
    if (length < NAME_LENGTH)
      name[length++] = *path;
  while (*path == '/')
    path++;
  return path;
}

// Follows a path from the root or from the process's working directory: to its end, or to the directory that holds
// its last name, which is left in `name`.
static struct inode *follow(const char *path, bool to_parent, char *name) {
  struct inode *inode = *path == '/' ? inode_get(ROOT_INODE) : inode_share(current_process()->directory);
  while (inode && (path = next_name(path, name)) != 0) {
    inode_lock(inode);
    if (inode->disk.type != T_DIRECTORY) {
      inode_unlock_put(inode);
      return 0;
    }
    if (to_parent && *path == 0) {
      inode_unlock(inode);
      return inode;
    }
    struct inode *next = directory_lookup(inode, name, 0);
    inode_unlock_put(inode);
    inode = next;
  }
  if (inode && to_parent) { // the path had no name
    inode_put(inode);
    return 0;
  }
  return inode;
}

// The inode that a path leads to, with one more reference and not locked, or 0. The caller is in a transaction.
struct inode *path_lookup(const char *path) {
  char name[NAME_LENGTH];
  return follow(path, false, name);
}

// The same for the directory that holds the path's last name, which is copied to `name`, padded with zeros. The
// directory may have been unlinked; the name need not exist in it.
struct inode *path_lookup_parent(const char *path, char *name) { return follow(path, true, name); }
