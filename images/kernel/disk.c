// The disk: a virtio block device behind virtio-mmio, version 2 (virtio 1.2, sections 2.7, 4.2 and 5.2).
//
// A request is a chain of three descriptors: a header that the device reads, the data, and a status byte that it
// writes. Request slot i always uses descriptors 3i, 3i + 1 and 3i + 2.
#include "device.h"
#include "lock.h"
#include "memlayout.h"
#include "print.h"
#include "proc.h"
#include "string.h"

#define REGISTER(offset) (*(volatile uint32_t *)(DISK_BASE + (offset)))
#define MAGIC REGISTER(0x000)
#define VERSION REGISTER(0x004)
#define DEVICE_ID REGISTER(0x008)
#define DRIVER_FEATURES REGISTER(0x020)
#define DRIVER_FEATURES_SELECT REGISTER(0x024)
#define QUEUE_SELECT REGISTER(0x030)
#define QUEUE_SIZE_MAX REGISTER(0x034)
#define QUEUE_SIZE REGISTER(0x038)
#define QUEUE_READY REGISTER(0x044)
#define QUEUE_NOTIFY REGISTER(0x050)
#define INTERRUPT_STATUS REGISTER(0x060)
#define INTERRUPT_ACKNOWLEDGE REGISTER(0x064)
#define STATUS REGISTER(0x070)
#define QUEUE_DESCRIPTORS 0x080 // each an address in two halves, low first
#define QUEUE_AVAILABLE 0x090
#define QUEUE_USED 0x0a0

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8

#define FEATURE_VERSION_1 1 // bit 32, so bit 0 of the second word
#define BLOCK_DEVICE 2
#define SECTOR_SIZE 512
#define REQUEST_READ 0
#define REQUEST_WRITE 1

#define ENTRIES 16
#define SLOTS 5
#define DESCRIPTOR_NEXT 1         // the chain goes on
#define DESCRIPTOR_DEVICE_WRITES 2

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

struct request_header {
  uint32_t type;
  uint32_t reserved;
  uint64_t sector;
};

static struct {
  // What the device reads and writes.
  struct descriptor descriptors[ENTRIES] __attribute__((aligned(16)));
  struct {
    uint16_t flags;
    uint16_t index; // counts up; modulo ENTRIES, where the next chain goes
    uint16_t ring[ENTRIES];
  } available;
  struct {
    uint16_t flags;
    volatile uint16_t index;
    struct {
      uint32_t id; // first descriptor of the chain
      uint32_t length;
    } ring[ENTRIES];
  } used __attribute__((aligned(4)));
  struct {
    struct request_header header;
    uint8_t status;
    bool taken;
    volatile bool done;
  } slots[SLOTS];

  // The driver's own.
  struct spinlock lock;
  uint16_t used_seen;
} disk;

static void set_queue_address(int offset, const volatile void *address) {
  REGISTER(offset) = (uint32_t)(uint64_t)address;
  REGISTER(offset + 4) = (uint32_t)((uint64_t)address >> 32);
}

void disk_init(void) {
  spinlock_init(&disk.lock, "disk");
  if (MAGIC != 0x74726976 || VERSION != 2 || DEVICE_ID != BLOCK_DEVICE)
    panic("disk_init: no modern virtio disk: magic 0x%x, version %u, device %u", MAGIC, VERSION, DEVICE_ID);

  STATUS = 0;
  STATUS = STATUS_ACKNOWLEDGE;
  STATUS = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
  DRIVER_FEATURES_SELECT = 0;
  DRIVER_FEATURES = 0;
  DRIVER_FEATURES_SELECT = 1;
  DRIVER_FEATURES = FEATURE_VERSION_1;
  STATUS = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
  if (!(STATUS & STATUS_FEATURES_OK))
    panic("disk_init: the device refuses the features, status 0x%x", STATUS);

  QUEUE_SELECT = 0;
  if (QUEUE_SIZE_MAX < ENTRIES)
    panic("disk_init: the queue has %u entries, %d are needed", QUEUE_SIZE_MAX, ENTRIES);
  QUEUE_SIZE = ENTRIES;
  set_queue_address(QUEUE_DESCRIPTORS, disk.descriptors);
  set_queue_address(QUEUE_AVAILABLE, &disk.available);
  set_queue_address(QUEUE_USED, &disk.used);
  QUEUE_READY = 1;
  STATUS = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
}

static int take_slot(void) {
  for (;;) {
    for (int slot = 0; slot < SLOTS; slot++)
      if (!disk.slots[slot].taken) {
        disk.slots[slot].taken = true;
        return slot;
      }
    sleep_on(&disk.slots, &disk.lock);
  }
}

static void describe(int index, const volatile void *address, uint32_t length, int flags) {
  disk.descriptors[index] = (struct descriptor){(uint64_t)address, length, flags, index + 1};
}

void disk_rw(uint32_t block, void *data, bool write) {
  acquire(&disk.lock);
  int slot = take_slot();
  disk.slots[slot].header = (struct request_header){
      .type = write ? REQUEST_WRITE : REQUEST_READ,
      .sector = (uint64_t)block * (DISK_BLOCK_SIZE / SECTOR_SIZE),
  };
  disk.slots[slot].status = 0xff;
  disk.slots[slot].done = false;

  int first = 3 * slot;
  describe(first, &disk.slots[slot].header, sizeof(struct request_header), DESCRIPTOR_NEXT);
  describe(first + 1, data, DISK_BLOCK_SIZE, DESCRIPTOR_NEXT | (write ? 0 : DESCRIPTOR_DEVICE_WRITES));
  describe(first + 2, &disk.slots[slot].status, 1, DESCRIPTOR_DEVICE_WRITES);

  disk.available.ring[disk.available.index % ENTRIES] = first;
  __sync_synchronize(); // the chain before the index that publishes it
  disk.available.index++;
  __sync_synchronize(); // the index before the notification
  QUEUE_NOTIFY = 0;

  while (!disk.slots[slot].done)
    sleep_on(&disk.slots[slot], &disk.lock);
  if (disk.slots[slot].status != 0)
    panic("disk_rw: %s block %u: status %d", write ? "writing" : "reading", block, disk.slots[slot].status);
  disk.slots[slot].taken = false;
  wake_all(&disk.slots);
  release(&disk.lock);
}

void disk_interrupt(void) {
  acquire(&disk.lock);
  INTERRUPT_ACKNOWLEDGE = INTERRUPT_STATUS & 3; // before looking, so that a later completion interrupts again
  __sync_synchronize();
  while (disk.used_seen != disk.used.index) {
    __sync_synchronize(); // the index before the entry it publishes
    int slot = disk.used.ring[disk.used_seen++ % ENTRIES].id / 3;
    disk.slots[slot].done = true;
    wake_all(&disk.slots[slot]);
  }
  release(&disk.lock);
}
