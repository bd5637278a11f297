/**
 * A growing set of integer ids within ±2^53, at 8 bytes an id (16 while it grows): matches of sensitive terms, which may be tens of millions.
 * A `Set` of numbers takes some 40 bytes an id.
 */
export class SortedIds {
  #ids = new Float64Array(1024);
  #length = 0;
  #isSorted = true;

  /** Adds an id; ids that are there already change nothing. */
  add(id: number): void {
    if (!Number.isSafeInteger(id)) throw new RangeError(`${id} is no integer within ±2^53`);
    if (this.#length === this.#ids.length) this.#grow();
    this.#ids[this.#length] = id;
    this.#length += 1;
    this.#isSorted = false;
  }

  get size(): number {
    this.#sort();
    return this.#length;
  }

  /** The ids from `startId` to `endId`, both inclusive, ascending. */
  between(startId: number, endId: number): Float64Array {
    this.#sort();
    return this.#ids.subarray(this.#firstAtLeast(startId), this.#firstAtLeast(endId + 1));
  }

  /** Many repeats are dropped before the room doubles. */
  #grow(): void {
    this.#sort();
    if (this.#length <= this.#ids.length / 2) return;
    const larger = new Float64Array(this.#ids.length * 2);
    larger.set(this.#ids.subarray(0, this.#length));
    this.#ids = larger;
  }

  #sort(): void {
    if (this.#isSorted) return;
    const ids = this.#ids.subarray(0, this.#length).sort();
    let kept = 0;
    for (let index = 0; index < ids.length; index += 1) {
      if (index === 0 || ids[index] !== ids[index - 1]) {
        ids[kept] = ids[index] ?? 0;
        kept += 1;
      }
    }
    this.#length = kept;
    this.#isSorted = true;
  }

  #firstAtLeast(id: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? Infinity) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
