/** Answers in a row without pressure before one more request may be under way. */
const calmAnswersPerStep = 10;

/**
 * How many requests may be under way: halved under pressure (429, 5xx, a lost answer), one more after ten calm answers, never above
 * `sizeMax`. Additive increase, multiplicative decrease: many workers on one cluster settle without knowing each other.
 */
export class RequestWindow {
  #size: number;
  #calmAnswers = 0;

  constructor(readonly sizeMax: number) {
    this.#size = sizeMax;
  }

  get size(): number {
    return this.#size;
  }

  onPressure(): void {
    this.#size = Math.max(1, Math.floor(this.#size / 2));
    this.#calmAnswers = 0;
  }

  onCalm(): void {
    this.#calmAnswers += 1;
    if (this.#calmAnswers < calmAnswersPerStep) return;
    this.#calmAnswers = 0;
    this.#size = Math.min(this.sizeMax, this.#size + 1);
  }
}

/** The wait before try number `attempt` (0 = the first repetition): exponential, jittered by half, so that workers do not come back together. */
export function backoffMs(
  attempt: number,
  firstMs: number,
  longestMs: number,
  random: () => number = Math.random,
): number {
  const wholeMs = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 30));
  return wholeMs / 2 + (wholeMs / 2) * random();
}
