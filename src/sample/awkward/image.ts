import type { ImageRecord } from '../types.js';
import type { AwkwardCase } from './types.js';

/** Around the borders of the classes of size (307,200 and 1,440,000 pixels) and shape. */
const sizes: readonly (readonly [number | null, number | null])[] = [
  [null, null],
  [null, 480],
  [640, null],
  [0, 0],
  [0, 480],
  [640, 0],
  [1, 1],
  [640, 480],
  [639, 480],
  [480, 640],
  [1_200, 1_200],
  [1_199, 1_200],
  [1_600, 900],
  [1_599, 900],
  [65_535, 65_535],
  [2_147_483_647, 2_147_483_647],
];

export const awkwardSizes: readonly AwkwardCase<ImageRecord>[] = sizes.map(([width, height]) => ({
  name: `width ${width}, height ${height}`,
  change: { width, height },
}));
