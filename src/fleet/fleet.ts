/** A running indexer worker. */
export interface FleetWorker {
  readonly id: string;
  readonly url: string;
  readonly pid: number | null;
  /** Whether it is known to be gone (its process ended, its instance terminated). */
  isGone(): boolean;
  /** Ends it, whatever it does now: `in order` lets it give its slice back first. Safe to call twice. */
  stop(how: 'in order' | 'at once'): Promise<void>;
}

/** Where workers come from. */
export interface Fleet {
  /** Stored with each worker: `local`. */
  readonly kind: string;
  /** Creates one worker and waits until it answers. When the signal aborts, the worker is ended and the signal's reason thrown. */
  start(id: string, signal: AbortSignal): Promise<FleetWorker>;
}
