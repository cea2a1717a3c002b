// System calls on files: they check the user's arguments, and work in terms of descriptors and paths.
#include "device.h"
#include "file.h"
#include "fs.h"
#include "proc.h"
#include "string.h"
#include "syscall.h"

#define LINKS_MAX INT16_MAX

// The open file that the argument, a descriptor, stands for; 0 if there is none.
static struct file *argument_file(int index) {
  int descriptor = argument_int(index);
  if (descriptor < 0 || descriptor >= NOFILE)
    return 0;
  return current_process()->files[descriptor];
}

// Gives the file, with its reference, to the lowest free descriptor. Returns that, or -1 if there is none.
static int descriptor_allocate(struct file *file) {
  struct process *process = current_process();
  for (int descriptor = 0; descriptor < NOFILE; descriptor++) {
    if (process->files[descriptor] == 0) {
      process->files[descriptor] = file;
      return descriptor;
    }
  }
  return -1;
}

uint64_t sys_dup(void) {
  struct file *file = argument_file(0);
  if (file == 0)
    return -1;
  int descriptor = descriptor_allocate(file);
  if (descriptor >= 0)
    file_share(file);
  return descriptor;
}

uint64_t sys_read(void) {
  struct file *file = argument_file(0);
  return file ? file_read(file, argument(1), argument_int(2)) : -1;
}

uint64_t sys_write(void) {
  struct file *file = argument_file(0);
  return file ? file_write(file, argument(1), argument_int(2)) : -1;
}

uint64_t sys_fstat(void) {
  struct file *file = argument_file(0);
  return file ? file_stat(file, argument(1)) : -1;
}

uint64_t sys_close(void) {
  struct file *file = argument_file(0);
  if (file == 0)
    return -1;
  current_process()->files[argument_int(0)] = 0;
  file_close(file);
  return 0;
}

// Makes `name` in the directory, both locked by the caller, name the inode. Returns 0, or -1 with no change.
static int add_link(struct inode *directory, const char *name, struct inode *inode) {
  if (directory->disk.links == 0) // it was removed; what is put in it would never be found again
    return -1;
  return directory_add(directory, name, inode->number);
}

// Makes an inode with a name in the parent, which the caller has locked. Returns it locked, or 0 with no change.
static struct inode *create_in(struct inode *parent, const char *name, int type, int major, int minor) {
  struct inode *inode = inode_allocate(type);
  if (inode == 0)
    return 0;
  inode_lock(inode);
  inode->disk.major = major;
  inode->disk.minor = minor;
  inode->disk.links = 1;

  bool is_directory = type == T_DIRECTORY;
  bool ready = !is_directory || (parent->disk.links < LINKS_MAX && directory_add(inode, ".", inode->number) == 0 &&
                                 directory_add(inode, "..", parent->number) == 0);
  if (!ready || add_link(parent, name, inode) < 0) {
    inode->disk.links = 0; // so that the last reference frees it
    inode_unlock_put(inode);
    return 0;
  }
  if (is_directory) { // its `..` is a link
    parent->disk.links++;
    inode_update(parent);
  }
  inode_update(inode);
  return inode;
}

// Creates a file of the given type, in a transaction. A file or device that is there already will do for T_FILE.
// Returns the inode locked, or 0 with no change.
static struct inode *create(const char *path, int type, int major, int minor) {
  char name[NAME_LENGTH];
  struct inode *parent = path_lookup_parent(path, name);
  if (parent == 0)
    return 0;
  inode_lock(parent);
  struct inode *inode = directory_lookup(parent, name, 0);
  if (inode == 0) {
    inode = create_in(parent, name, type, major, minor);
    inode_unlock_put(parent);
    return inode;
  }

  inode_unlock_put(parent);
  inode_lock(inode);
  if (type == T_FILE && inode->disk.type != T_DIRECTORY)
    return inode;
  inode_unlock_put(inode);
  return 0;
}

// The inode to open, locked, or 0 if it may not be opened in this way.
static struct inode *open_inode(const char *path, int flags) {
  struct inode *inode;
  if (flags & O_CREATE) {
    if ((inode = create(path, T_FILE, 0, 0)) == 0)
      return 0;
  } else {
    if ((inode = path_lookup(path)) == 0)
      return 0;
    inode_lock(inode);
  }
  bool bad_directory = inode->disk.type == T_DIRECTORY && flags != O_RDONLY;
  bool bad_device = inode->disk.type == T_DEVICE && (inode->disk.major < 0 || inode->disk.major >= NDEV);
  if (bad_directory || bad_device) {
    inode_unlock_put(inode);
    return 0;
  }
  return inode;
}

uint64_t sys_open(void) {
  char path[MAXPATH];
  int flags = argument_int(1);
  if (argument_string(0, path, MAXPATH) < 0)
    return -1;

  // The descriptor comes first: nothing is created that could not be opened then.
  struct file *file = file_allocate();
  if (file == 0)
    return -1;
  int descriptor = descriptor_allocate(file);
  if (descriptor < 0) {
    file_close(file);
    return -1;
  }

  log_begin();
  struct inode *inode = open_inode(path, flags);
  if (inode == 0) {
    log_end();
    current_process()->files[descriptor] = 0;
    file_close(file);
    return -1;
  }
  file->readable = (flags & O_WRONLY) == 0;
  file->writable = (flags & (O_WRONLY | O_RDWR)) != 0;
  file->inode = inode;
  file->kind = inode->disk.type == T_DEVICE ? FILE_DEVICE : FILE_INODE;
  file->major = inode->disk.major;
  if ((flags & O_TRUNC) && inode->disk.type == T_FILE)
    inode_truncate(inode, 0);
  inode_unlock(inode);
  log_end();
  return descriptor;
}

uint64_t sys_mkdir(void) {
  char path[MAXPATH];
  if (argument_string(0, path, MAXPATH) < 0)
    return -1;
  log_begin();
  struct inode *inode = create(path, T_DIRECTORY, 0, 0);
  if (inode)
    inode_unlock_put(inode);
  log_end();
  return inode ? 0 : -1;
}

uint64_t sys_mknod(void) {
  char path[MAXPATH];
  if (argument_string(0, path, MAXPATH) < 0)
    return -1;
  log_begin();
  struct inode *inode = create(path, T_DEVICE, argument_int(1), argument_int(2));
  if (inode)
    inode_unlock_put(inode);
  log_end();
  return inode ? 0 : -1;
}

// Changes an inode's count of links by one. Returns -1, with no change, for a directory or if there are too many.
static int change_links(struct inode *inode, int change) {
  inode_lock(inode);
  bool refused = inode->disk.type == T_DIRECTORY || inode->disk.links + change > LINKS_MAX;
  if (!refused) {
    inode->disk.links += change;
    inode_update(inode);
  }
  inode_unlock(inode);
  return refused ? -1 : 0;
}

// link, in a transaction.
static int link(const char *old_path, const char *new_path) {
  char name[NAME_LENGTH];
  int result = -1;
  struct inode *inode = path_lookup(old_path);
  if (inode == 0)
    return -1;
  // The count goes up first, so that nobody frees the inode before its new name is there.
  if (change_links(inode, 1) == 0) {
    struct inode *parent = path_lookup_parent(new_path, name);
    if (parent) {
      inode_lock(parent);
      result = add_link(parent, name, inode);
      inode_unlock_put(parent);
    }
    if (result < 0)
      change_links(inode, -1);
  }
  inode_put(inode);
  return result;
}

uint64_t sys_link(void) {
  char old_path[MAXPATH], new_path[MAXPATH];
  if (argument_string(0, old_path, MAXPATH) < 0 || argument_string(1, new_path, MAXPATH) < 0)
    return -1;
  log_begin();
  int result = link(old_path, new_path);
  log_end();
  return result;
}

// Removes a name from a directory that the caller has locked. Returns -1, with no change, if that may not be.
static int unlink_in(struct inode *parent, const char *name) {
  uint32_t offset;
  if (strncmp(name, ".", NAME_LENGTH) == 0 || strncmp(name, "..", NAME_LENGTH) == 0)
    return -1;
  struct inode *inode = directory_lookup(parent, name, &offset);
  if (inode == 0)
    return -1;
  inode_lock(inode);
  bool is_directory = inode->disk.type == T_DIRECTORY;
  bool refused = is_directory && !directory_is_empty(inode);
  if (!refused) {
    directory_remove(parent, offset);
    if (is_directory) { // its `..` goes
      parent->disk.links--;
      inode_update(parent);
    }
    inode->disk.links--;
    inode_update(inode);
  }
  inode_unlock_put(inode);
  return refused ? -1 : 0;
}

uint64_t sys_unlink(void) {
  char path[MAXPATH], name[NAME_LENGTH];
  int result = -1;
  if (argument_string(0, path, MAXPATH) < 0)
    return -1;
  log_begin();
  struct inode *parent = path_lookup_parent(path, name);
  if (parent) {
    inode_lock(parent);
    result = unlink_in(parent, name);
    inode_unlock_put(parent);
  }
  log_end();
  return result;
}

uint64_t sys_chdir(void) {
  char path[MAXPATH];
  struct process *process = current_process();
  if (argument_string(0, path, MAXPATH) < 0)
    return -1;
  log_begin();
  struct inode *inode = path_lookup(path);
  bool is_directory = false;
  if (inode) {
    inode_lock(inode);
    is_directory = inode->disk.type == T_DIRECTORY;
    inode_unlock(inode);
    inode_put(is_directory ? process->directory : inode);
    if (is_directory)
      process->directory = inode;
  }
  log_end();
  return is_directory ? 0 : -1;
}

uint64_t sys_pipe(void) {
  struct file *files[2];
  int descriptors[2];
  if (pipe_open(&files[0], &files[1]) < 0)
    return -1;
  descriptors[0] = descriptor_allocate(files[0]);
  descriptors[1] = descriptor_allocate(files[1]);
  if (descriptors[0] >= 0 && descriptors[1] >= 0 &&
      copy_to(true, argument(0), descriptors, sizeof(descriptors)) == 0)
    return 0;
  for (int end = 0; end < 2; end++) {
    if (descriptors[end] >= 0)
      current_process()->files[descriptors[end]] = 0;
    file_close(files[end]);
  }
  return -1;
}
