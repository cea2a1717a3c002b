// Sizes and limits of the whole system. Plain numbers, so that assembly and user programs may include this too.
#pragma once

#define NCPU 8          // harts the kernel can run on
#define NPROC 64        // processes at one time
#define NOFILE 16       // open files of one process
#define NFILE 100       // open files of the whole system
#define NINODE 50       // inodes in memory at one time
#define NDEV 10         // major device numbers
#define ROOTDEV 1       // device number of the disk the root directory is on
#define MAXARG 32       // arguments of exec
#define MAXPATH 128     // bytes in a path, the final zero included
#define PROCESS_NAME 16 // bytes in a process's name, the final zero included
#define USER_STACK_PAGES 1

#define TICK_CYCLES 1000000 // timer period in units of the 10 MHz time base: a tenth of a second
