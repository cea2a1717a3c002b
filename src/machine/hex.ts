/** An address or a bit pattern as messages show it: `0x80000000`. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
