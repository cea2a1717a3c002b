// The variable behind fault.h.
#include "fault.h"

volatile int fault __attribute__((section(".data"))) = FAULT_NONE;
