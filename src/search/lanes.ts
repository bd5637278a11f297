/**
 * Runs `lane` so many times at once, each until it has nothing left to take. The first failure ends the others through their signal and is
 * thrown when all have ended, so that nothing goes on behind the caller's back.
 */
export async function runLanes(
  count: number,
  signal: AbortSignal | undefined,
  lane: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const own = new AbortController();
  const both = signal === undefined ? own.signal : AbortSignal.any([signal, own.signal]);
  const failures: unknown[] = [];
  const guarded = async (): Promise<void> => {
    try {
      await lane(both);
    } catch (error) {
      failures.push(error);
      own.abort(error);
    }
  };
  await Promise.all(Array.from({ length: count }, guarded));
  if (failures.length > 0) throw failures[0];
}
