// crc: CRC-32 (ISO 3309, the polynomial 0xedb88320 reflected) of a buffer, by a table of 256 entries.
#include "../programs.h"

#define LENGTH 65536
#define PASSES 10

static uint8_t bytes[LENGTH];
static uint32_t table[256];

static void fill_table(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; bit++)
      remainder = remainder & 1 ? remainder >> 1 ^ 0xedb88320 : remainder >> 1;
    table[byte] = remainder;
  }
}

static uint64_t run(void) {
  fill_table();
  for (int i = 0; i < LENGTH; i++)
    bytes[i] = (uint8_t)(i * 7);
  uint32_t crc = 0xffffffff;
  for (int pass = 0; pass < PASSES; pass++)
    for (int i = 0; i < LENGTH; i++)
      crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
  return crc ^ 0xffffffff;
}

const struct program crc = {"crc", 400, 0xb141fac5, run};
