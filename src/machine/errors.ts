/**
 * What the user gave (a kernel, a disk image, the value of an option) cannot be used. The one error type for
 * that: the message is a clause or two that follow "rvemu: ", saying what is wrong and, where there is one,
 * what to do next. The command line prints it without a stack trace and ends with exit code 2.
 */
export class BadInputError extends Error {
  override readonly name = 'BadInputError';
}
