/** Register values at which arithmetic goes wrong if it does. */
export const EDGES: readonly bigint[] = [
  0n,
  1n,
  -1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 31n - 1n,
  -(2n ** 31n),
  0xffff_ffffn,
  63n,
  64n,
];
