import type { Config, RefreshDefinition } from '../config/types.js';
import type { ResolvedEnvironment } from '../config/resolve.js';
import { findDefinition } from '../config/definitions.js';
import type { Leadership } from '../engine/leadership.js';
import { endRunSessions } from '../postgres/runSessions.js';
import { breakRunSessions, openSession, withSession, type Session } from '../postgres/session.js';
import { openSearchClient, type SearchClient } from '../search/client.js';
import { watchCancellation } from './cancellation.js';
import { signHold } from './holdSign.js';
import { isRunOver, type Run } from '../state/runs.js';
import { recordEvent, type EventLevel } from '../state/records.js';
import type { State } from '../state/state.js';

/** What the orchestrator has for every run. */
export interface Services {
  readonly config: Config;
  readonly state: State;
  /** URLs of an environment, from its references or from embedded parts. */
  readonly resolve: (environment: string) => Promise<ResolvedEnvironment>;
  /** Environment variables that references name. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when this process ends without waiting for its runs: what fails from then on is not the runs' failure. */
  readonly closing: AbortSignal;
  /** Lines of the workers, for the log. */
  readonly log: (line: string) => void;
}

/** What a step of one run has. Connections are opened by the steps that need them; the search client is shared. */
export interface RunContext extends Services {
  readonly run: Run;
  readonly definition: RefreshDefinition;
  readonly environment: ResolvedEnvironment;
  /** Ends its requests when the run is cancelled; before it writes it makes sure that this process is the orchestrator. */
  readonly search: SearchClient;
  /** Aborted with RUN_CANCELLED when the run is cancelled; what a step has begun must end within seconds then. */
  readonly cancelled: AbortSignal;
  /** Belongs before the run's clean-up, whose sessions would be ended too while the run counts as cancelled. */
  stopWatching(): Promise<void>;
  readonly leadership: Leadership;
  event(level: EventLevel, kind: string, message: string, details?: Record<string, unknown>): Promise<void>;
  /** Whether what a run left in the API database or the cluster may be removed: only of runs that this state knows as over. */
  isOver(runId: string): Promise<boolean>;
  /** Runs `work` with a session of the API database. */
  withApi<T>(work: (session: Session) => Promise<T>): Promise<T>;
  openApi(): Promise<Session>;
  close(): Promise<void>;
}

/** Opens what the steps of a run need. Close it when the run ends or is left. */
export async function openRunContext(
  services: Services,
  run: Run,
  leadership: Leadership,
): Promise<RunContext> {
  const definition = findDefinition(services.config, [`${run.environment}_${run.media}_data_refresh`]);
  const environment = await services.resolve(run.environment);
  const session = { applicationName: 'freshet run', called: 'API database' };
  const api = { url: environment.apiUrl, called: 'API database' };
  const catalog = { url: environment.catalogUrl, called: 'catalog' };
  const cancellation = await watchCancellation(
    services.state,
    run.id,
    // A statement under way (an index build) notices a closed connection only at its end.
    () => Promise.allSettled([api, catalog].map((database) => endRunSessions(database, run.id, 'all'))),
    () => breakRunSessions(run.id),
  );
  const search = openSearchClient(environment.searchUrls, {
    beforeWrite: () => leadership.assertHeld(),
    signal: cancellation.signal,
  });
  const stopSigning = signHold(environment.apiUrl, run.id, leadership.token);
  return {
    ...services,
    run,
    definition,
    environment,
    search,
    leadership,
    cancelled: cancellation.signal,
    stopWatching: () => cancellation.stop(),
    event: (level, kind, message, details) =>
      recordEvent(services.state, {
        runId: run.id,
        level,
        kind,
        message,
        ...(details === undefined ? {} : { details }),
      }),
    isOver: (runId) => isRunOver(services.state, runId),
    withApi: (work) => withSession(environment.apiUrl, session, work),
    openApi: () => openSession(environment.apiUrl, session),
    close: async () => {
      stopSigning();
      await cancellation.stop();
      await search.close();
    },
  };
}
