/** Documents of one bulk request: ids and their lines of NDJSON, in order. */
export class BulkBatch {
  readonly ids: string[] = [];
  readonly #lines: string[] = [];
  #bytes = 0;

  get length(): number {
    return this.ids.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param line action and document, each with its newline. @param bytes of the line in UTF-8. */
  add(id: string, line: string, bytes: number): void {
    this.ids.push(id);
    this.#lines.push(line);
    this.#bytes += bytes;
  }

  body(): string {
    return this.#lines.join('');
  }

  /** Only the documents at `positions`. */
  pick(positions: readonly number[]): BulkBatch {
    const picked = new BulkBatch();
    for (const position of positions) {
      const line = this.#lines[position] as string;
      picked.add(this.ids[position] as string, line, Buffer.byteLength(line));
    }
    return picked;
  }

  /** Two halves, for an engine that finds the body too large. */
  halves(): readonly [BulkBatch, BulkBatch] {
    const positions = this.ids.map((_, position) => position);
    const middle = Math.ceil(positions.length / 2);
    return [this.pick(positions.slice(0, middle)), this.pick(positions.slice(middle))];
  }
}

/** The action and document lines of one document. */
export function bulkLine(id: string, source: string): string {
  return `{"index":{"_id":${JSON.stringify(id)}}}\n${source}\n`;
}
