import { sentBytesRemembered } from '../limits.js';
import { decodeFields } from '../postgres/copyText.js';

interface SentChunk {
  readonly bytes: Buffer;
  readonly firstRow: number;
  readonly rows: number;
}

/** The last rows that were sent: Postgres names a refused one by its number, megabytes after it went out. */
export class SentRows {
  #chunks: SentChunk[] = [];
  #rows = 0;
  #bytes = 0;

  /** `keyStart`, `keyCount`: where the key is among a row's fields. */
  constructor(
    private readonly keyStart: number,
    private readonly keyCount: number,
  ) {}

  remember(bytes: Buffer, rows: number): void {
    this.#chunks.push({ bytes, firstRow: this.#rows + 1, rows });
    this.#rows += rows;
    this.#bytes += bytes.length;
    while (this.#bytes > sentBytesRemembered && this.#chunks.length > 1) {
      this.#bytes -= this.#chunks.shift()?.bytes.length ?? 0;
    }
  }

  /** The key of the n-th row, from 1; null when it is no longer remembered. */
  keyOf(row: number): string | null {
    const chunk = this.#chunks.find(({ firstRow, rows }) => row >= firstRow && row < firstRow + rows);
    const line = chunk?.bytes.toString('utf8').split('\n')[row - chunk.firstRow];
    if (line === undefined) return null;
    const fields = decodeFields(Buffer.from(line)).slice(this.keyStart, this.keyStart + this.keyCount);
    return fields.map(String).join(', ');
  }
}
