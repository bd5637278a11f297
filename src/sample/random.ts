/**
 * Random numbers of one record: the same for the same seed, media type and index, whatever else is made. sfc32, a small generator of
 * good quality; not for secrets.
 */
export class RecordRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream: number, index: number) {
    this.#a = scramble(seed);
    this.#b = scramble(index);
    this.#c = scramble(stream ^ 0x9e3779b9);
    // The first values of neighbours resemble each other.
    for (let i = 0; i < 8; i += 1) this.next32();
  }

  /** A whole number from 0 to 2^32 - 1. */
  next32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A number from 0 to below 1. */
  share(): number {
    return this.next32() / 4_294_967_296;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.share() * end);
  }

  chance(share: number): boolean {
    return this.share() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** Mixes the bits of a 32-bit number. Different numbers stay different. */
export function scramble(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Eight hexadecimal digits of a 32-bit number. */
export function hex32(value: number): string {
  return `${hexOfByte[value >>> 24]}${hexOfByte[(value >>> 16) & 255]}${hexOfByte[(value >>> 8) & 255]}${hexOfByte[value & 255]}`;
}

/** A version 4 uuid. Its first group is a scramble of the index: no two records of a media type ever have the same. */
export function makeIdentifier(random: RecordRandom, index: number): string {
  const [b, c, d] = [hex32(random.next32()), hex32(random.next32()), hex32(random.next32())];
  return `${hex32(scramble(index + 1))}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${d}`;
}
