/** What the model refuses: where a kernel that keeps its contracts panics. */
export class ModelError extends Error {}

export const hex = (value: number | bigint): string => '0x' + value.toString(16);
