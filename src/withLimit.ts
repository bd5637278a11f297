import { frozenMs } from './limits.js';

const late = Symbol('late');

/**
 * Waits for `work` at most so long, then throws; what `work` does meanwhile goes on. For servers that may be cut off: a connection that nobody
 * answers is noticed by the kernel after a quarter of an hour, or never. Time in which this process was frozen does not count: the answer may
 * have come long ago, and is read only after the timers.
 */
export async function withLimit<T>(work: Promise<T>, limitMs: number): Promise<T> {
  for (;;) {
    const since = performance.now();
    const outcome = await firstOf(work, limitMs);
    if (outcome !== late) return outcome;
    if (performance.now() - since < limitMs + frozenMs) throw new Error(`no answer within ${limitMs} ms`);
  }
}

function firstOf<T>(work: Promise<T>, limitMs: number): Promise<T | typeof late> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => resolve(late), limitMs);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
