import { setTimeout as sleep } from 'node:timers/promises';

/** Waits; when the signal aborts it throws the signal's own reason, which Node's timers replace by an AbortError. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
