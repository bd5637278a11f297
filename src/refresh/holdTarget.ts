import { hostname } from 'node:os';
import { FreshetError } from '../errors.js';
import { releaseHold, tryHold, type Holder } from '../postgres/holders.js';
import { ensureMarks } from '../postgres/marks.js';
import { readStateId } from '../state/identity.js';
import type { RunContext } from './context.js';

/** Takes the run's API database; null when the run has it, else who has it: a run of another state database. */
export async function holdTarget(context: RunContext): Promise<Holder | null> {
  const { run, state, leadership } = context;
  const stateId = await readStateId(state);
  return context.withApi(async (session) => {
    await ensureMarks(session);
    return tryHold(session, {
      runId: run.id,
      environment: run.environment,
      media: run.media,
      stateId,
      host: hostname(),
      token: leadership.token,
      isRunOver: (id) => context.isOver(id),
    });
  });
}

export function targetHeld({ run }: RunContext, holder: Holder): FreshetError {
  return new FreshetError(
    'TARGET_HELD',
    `The API database of ${run.environment} is held by run ${holder.runId} (${holder.media}) of another state database, on ${holder.host} since ${holder.heldSince.toISOString()}.`,
    { environment: run.environment, run: holder.runId },
  );
}

/** Belongs to the end of a run. */
export async function releaseTarget(context: RunContext): Promise<void> {
  await context.withApi(async (session) => {
    await ensureMarks(session);
    await releaseHold(session, context.run.id);
  });
}
