# Where a program begins: exec leaves argc in a0, argv in a1, and a stack in sp. What main returns is the exit status.
.section .text
.globl start
start:
  call main
  call exit
