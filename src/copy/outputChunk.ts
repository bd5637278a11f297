/** Bytes that are put together for one write: one allocation for a batch of rows, not one for each. */
export class OutputChunk {
  #bytes: Buffer;
  #length = 0;

  /** Sized for `lines` with an id in front of each; grows where that does not suffice. */
  constructor(lines: readonly Buffer[]) {
    const idBytes = 24;
    let size = 0;
    for (const line of lines) size += line.length + idBytes;
    this.#bytes = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.#length;
  }

  /** Appends `source` from `start` to its end. */
  add(source: Buffer, start: number): void {
    this.#makeRoom(source.length - start);
    this.#length += source.copy(this.#bytes, this.#length, start);
  }

  /** Appends a text of ASCII characters. */
  addText(text: string): void {
    this.#makeRoom(text.length);
    this.#length += this.#bytes.write(text, this.#length, 'latin1');
  }

  addByte(byte: number): void {
    this.#makeRoom(1);
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #makeRoom(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#length + bytes) * 2);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
