import { buildMediaFields, mediaColumns } from './media.js';
import type { DocumentDefinition, SourceRow } from './types.js';
import { compactDocument, urlExtension } from './values.js';

const smallPixels = 640 * 480;
const mediumPixels = 1_600 * 900;

/** How a row of Openverse's `image` table becomes a document. */
export const imageDocument: DocumentDefinition = {
  version: 'image-1',
  columns: [...mediaColumns, 'width', 'height'],
  build: (row, facts) =>
    compactDocument({
      ...buildMediaFields(row, facts),
      ...shapeOf(row),
      extension: urlExtension(row['url']),
    }),
};

/** 0 counts as a number; without width or height there is no shape. */
function shapeOf({ width, height }: SourceRow): Record<string, unknown> {
  if (typeof width !== 'number' || typeof height !== 'number') return {};
  return { aspect_ratio: aspectRatio(width, height), size: sizeOf(width * height) };
}

function aspectRatio(width: number, height: number): string {
  if (height > width) return 'tall';
  return height < width ? 'wide' : 'square';
}

function sizeOf(pixels: number): string {
  if (pixels < smallPixels) return 'small';
  return pixels < mediumPixels ? 'medium' : 'large';
}
