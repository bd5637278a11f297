import { colors } from './colors.js';
import { findOrchestrator } from '../engine/leadership.js';
import { FreshetError } from '../errors.js';
import { orchestratorLookMs, orchestratorWaitMs } from '../limits.js';
import type { Run } from '../state/runs.js';
import type { State } from '../state/state.js';
import { writeNote } from './output.js';

/** Looks whether an orchestrator is up: says at once when there is none, and gives up when none comes within `orchestratorWaitMs`. */
export class OrchestratorWatch {
  private missingSince: number | null = null;
  private lookedAt = -Infinity;

  constructor(private readonly state: State) {}

  /** Throws ORCHESTRATOR_MISSING; the run stays as it is. */
  async look({ id, cancelRequestedAt }: Run): Promise<void> {
    const now = performance.now();
    if (now - this.lookedAt < orchestratorLookMs) return;
    this.lookedAt = now;
    if ((await findOrchestrator(this.state.pool)) !== null) {
      this.missingSince = null;
      return;
    }
    if (this.missingSince === null) {
      this.missingSince = now;
      writeNote(
        `${colors.yellow('waiting')}: no orchestrator is up on this state database (\`freshet up\`).`,
      );
    }
    if (now - this.missingSince < orchestratorWaitMs) return;
    throw new FreshetError(
      'ORCHESTRATOR_MISSING',
      `No orchestrator is up on this state database; ${cancelRequestedAt === null ? '' : 'the cancellation of '}run ${id} waits for one.`,
      { run: id },
    );
  }
}
