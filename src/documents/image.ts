import { buildMediaDocument, mediaColumns } from './media.js';
import type { DocumentDefinition, SourceRow } from './types.js';
import { addField, urlExtension } from './values.js';

const smallPixels = 640 * 480;
const mediumPixels = 1_600 * 900;

/** How a row of Openverse's `image` table becomes a document. */
export const imageDocument: DocumentDefinition = {
  version: 'image-1',
  columns: [...mediaColumns, 'width', 'height'],
  build: (row, facts) => {
    const document = buildMediaDocument(row, facts);
    addShape(document, row);
    addField(document, 'extension', urlExtension(row['url']));
    return document;
  },
};

/** 0 counts as a number; without width or height there is no shape. */
function addShape(document: Record<string, unknown>, { width, height }: SourceRow): void {
  if (typeof width !== 'number' || typeof height !== 'number') return;
  addField(document, 'aspect_ratio', aspectRatio(width, height));
  addField(document, 'size', sizeOf(width * height));
}

function aspectRatio(width: number, height: number): string {
  if (height > width) return 'tall';
  return height < width ? 'wide' : 'square';
}

function sizeOf(pixels: number): string {
  if (pixels < smallPixels) return 'small';
  return pixels < mediumPixels ? 'medium' : 'large';
}
