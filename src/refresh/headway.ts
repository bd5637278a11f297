/** When rows went on, by worker: tells a worker's own trouble from everybody's. */
export class Headway {
  /** Of each worker's present task: rows so far, and since when they are so many. */
  private readonly tasks = new Map<string, { rows: number; since: number }>();
  /** When each worker last went on. */
  private readonly latest = new Map<string, number>();
  private readonly begunAt: number;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.begunAt = now();
  }

  /** A worker begins a task, and has made no headway with it. */
  begin(workerId: string): void {
    this.tasks.set(workerId, { rows: 0, since: this.now() });
  }

  /** @param rows what the worker's present task has done so far; any number that grows with it. */
  note(workerId: string, rows: number): void {
    if (this.tasks.get(workerId)?.rows === rows) return;
    this.tasks.set(workerId, { rows, since: this.now() });
    this.latest.set(workerId, this.now());
  }

  /** Milliseconds since this worker's present task began or went on. */
  idleMs(workerId: string): number {
    const task = this.tasks.get(workerId);
    return task === undefined ? 0 : this.now() - task.since;
  }

  /** Milliseconds since any worker went on, or since the first one could. */
  allIdleMs(): number {
    return this.now() - Math.max(this.begunAt, ...this.latest.values());
  }

  /** Whether another worker went on within the last `ms`. */
  othersWithin(workerId: string, ms: number): boolean {
    return [...this.latest].some(([id, at]) => id !== workerId && this.now() - at <= ms);
  }
}
