/** A running indexer worker. */
export interface FleetWorker {
  readonly id: string;
  readonly url: string;
  readonly pid: number | null;
  /** Whether it is known to be gone (its process ended, its instance terminated). */
  isGone(): boolean;
  /** Ends it, whatever it does now. Safe to call twice. */
  stop(): Promise<void>;
}

/** Where workers come from. */
export interface Fleet {
  /** Stored with each worker: `local`. */
  readonly kind: string;
  /** Creates one worker and waits until it answers. */
  start(id: string): Promise<FleetWorker>;
}
