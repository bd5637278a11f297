import { setTimeout as sleep } from 'node:timers/promises';
import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk';
import type { PoolClient } from 'pg';
import { failpoint } from '../failpoints.js';
import { pausepoint } from '../pausepoint.js';
import { leadershipReleaseMs, migrationPollMs, migrationWaitMs } from '../limits.js';
import { withSession } from '../postgres/session.js';
import { processToken, urlWithName } from '../postgres/sessionNames.js';
import { stateLocked } from '../state/locked.js';
import type { State } from '../state/state.js';
import { withLimit } from '../withLimit.js';
import type { Leadership } from './leadership.js';

/**
 * Durable execution on DBOS Transact, the only module that knows it. What it gives: a workflow that a killed process left is started again
 * from the beginning at the next launch, and steps that had ended return what they returned, without being run. A step that was running is
 * run again: so every step looks before it acts.
 */

/** A constant: the engine's default is a hash of the code, and a changed comment would strand pending runs. Raise it only together with a migration of them. */
const applicationVersion = 'freshet-1';
const applicationName = 'freshet';
const executorId = 'orchestrator';
const queueName = 'runs';
const workflowName = 'run';

/** How often a new run is looked for, ms: a person waits for it, the database serves it from an index. */
const queuePollMs = 250;

/** The story of one attempt of a run, by the run's id. Registered once per process. */
export type RunWorkflow = (runId: string, attempt: number) => Promise<void>;

export interface Engine {
  /** Stops taking work. Runs that go on are abandoned where they are, to be resumed by the next orchestrator, unless they end within the limit. */
  close(options?: { waitForRunsMs?: number }): Promise<void>;
}

/** Its sessions say whose they are: the next orchestrator ends those that this one leaves. */
function named(stateUrl: string): string {
  return urlWithName(stateUrl, `freshet engine ${processToken}`);
}

const silentLogger = {
  info: () => undefined,
  debug: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Creates the engine's own tables in the state database. Safe to run twice and beside itself. */
export async function migrateEngine(stateUrl: string): Promise<void> {
  const options = { applicationName: 'freshet migrations', called: 'state database' };
  await withSession(stateUrl, options, async (session) => {
    // Two at once deadlock (seen). Tried, not waited for: a statement that waits holds a snapshot, which an index build waits for in turn.
    const lock = `select pg_try_advisory_lock(hashtextextended('freshet.engine migrations', 0)) as locked`;
    const deadline = performance.now() + migrationWaitMs;
    while ((await session.query<{ locked: boolean }>(lock)).rows[0]?.locked !== true) {
      if (performance.now() > deadline) throw await stateLocked(session);
      await sleep(migrationPollMs);
    }
    await migrateAlone(stateUrl);
  });
}

async function migrateAlone(stateUrl: string): Promise<void> {
  // The engine announces its migrations on stdout, which belongs to the command's own output (`--json`); its errors are thrown.
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = () => true;
  try {
    await DBOS.migrate(stateUrl);
  } finally {
    process.stdout.write = write;
  }
}

/**
 * Adds an attempt of a run to the queue: what `write` writes (the run's row) and the engine's entry appear in one transaction, or neither does.
 * Any process may do that, with or without an orchestrator up.
 * @param write returns the number of the attempt: 1 for a new run, one more for each retry or promotion of a held one; null = none is due.
 * @returns false when there was nothing to add.
 */
export async function enqueueRun(
  stateUrl: string,
  state: State,
  runId: string,
  write: (client: PoolClient) => Promise<number | null>,
): Promise<boolean> {
  const dbos = await DBOSClient.create({
    systemDatabaseUrl: named(stateUrl),
    applicationName,
    logger: silentLogger,
  });
  const client = await state.pool.connect();
  try {
    await client.query('begin');
    const attempt = await write(client);
    if (attempt === null) {
      await client.query('rollback');
      return false;
    }
    failpoint('enqueue.written');
    const workflowID = workflowIdOf(runId, attempt);
    const options = { queueName, workflowName, workflowID, appVersion: applicationVersion };
    await dbos.enqueueInTransaction<RunWorkflow>(client, options, runId, attempt);
    failpoint('enqueue.beforeCommit');
    await client.query('commit');
    failpoint('enqueue.afterCommit');
    return true;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
    await dbos.destroy();
  }
}

/**
 * Launches the engine as the orchestrator of this state database, whose lock the caller holds, and resumes what an earlier one left. The
 * lock is given back when the engine is closed, or here when it cannot be launched.
 */
export async function startEngine(options: {
  stateUrl: string;
  workflow: RunWorkflow;
  leadership: Leadership;
}): Promise<Engine> {
  const { stateUrl, workflow, leadership } = options;
  failpoint('orchestrator.locked');
  try {
    DBOS.setConfig({
      name: applicationName,
      systemDatabaseUrl: named(stateUrl),
      executorID: executorId,
      applicationVersion,
      logger: silentLogger,
    });
    DBOS.registerWorkflow(workflow, { name: workflowName });
    await DBOS.launch();
    await pausepoint('orchestrator.launched');
    await DBOS.registerQueue(queueName, { minPollingIntervalMs: queuePollMs, onConflict: 'always_update' });
  } catch (error) {
    // What of it is up already takes work from the queue.
    await withLimit(DBOS.shutdown({ deregister: true }), leadershipReleaseMs).catch(() => undefined);
    await leadership.release();
    throw error;
  }
  return {
    close: async ({ waitForRunsMs = 0 } = {}) => {
      await DBOS.shutdown({ workflowCompletionTimeoutMS: waitForRunsMs, deregister: true });
      await leadership.release();
    },
  };
}

/**
 * Runs a step of a workflow: its result is stored when it ends, and a resumed workflow gets the stored one. The result must be JSON and
 * hold no secret.
 */
export function runStep<T>(name: string, step: () => Promise<T>): Promise<T> {
  return DBOS.runStep(step, { name });
}

/** One workflow per attempt. What earlier attempts did is known from the run's phases. */
function workflowIdOf(runId: string, attempt: number): string {
  return attempt === 1 ? runId : `${runId}#${attempt}`;
}

/** Whether the engine has nothing more to do for an attempt of a run: it ended or was given up. For the orchestrator only. */
export async function isWorkflowOver(runId: string, attempt: number): Promise<boolean> {
  const status = await DBOS.getWorkflowStatus(workflowIdOf(runId, attempt));
  return status === null || !['PENDING', 'ENQUEUED', 'DELAYED'].includes(status.status);
}
