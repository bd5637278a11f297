/** A request that is not carried out: nothing was started. Becomes the HTTP answer `{ message, field?, reason? }`. */
export class Refusal extends Error {
  constructor(
    readonly status: 400 | 404 | 409 | 429 | 503,
    readonly reason: string,
    /** The field of the body that is at fault; null = none. */
    readonly field: string | null = null,
  ) {
    super(field === null ? reason : `${field}: ${reason}`);
  }

  toBody(): Record<string, string> {
    return this.field === null
      ? { message: this.message }
      : { message: this.message, field: this.field, reason: this.reason };
  }
}
