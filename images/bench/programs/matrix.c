// matrix: the product of two square matrices of integers.
#include "../programs.h"

#define SIZE 100

static int64_t left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

static void multiply(void) {
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++) {
      int64_t sum = 0;
      for (int i = 0; i < SIZE; i++)
        sum += left[row][i] * right[i][column];
      product[row][column] = sum;
    }
}

static uint64_t run(void) {
  uint32_t state = 3;
  uint64_t checksum = 0;
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++) {
      left[row][column] = next_random(&state) & 0xffff;
      right[row][column] = next_random(&state) & 0xffff;
    }
  multiply();
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++)
      checksum = checksum * 31 + (uint64_t)product[row][column];
  return checksum;
}

const struct program matrix = {"matrix", 500, 0xd60488ede2caf621, run};
