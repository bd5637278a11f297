import type { Config, RefreshDefinition } from '../config/types.js';
import type { ResolvedEnvironment } from '../config/resolve.js';
import { findDefinition } from '../config/definitions.js';
import { openSession, withSession, type Session } from '../postgres/session.js';
import { openSearchClient, type SearchClient } from '../search/client.js';
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
  readonly search: SearchClient;
  event(level: EventLevel, kind: string, message: string, details?: Record<string, unknown>): Promise<void>;
  /** Whether what a run left in the API database or the cluster may be removed: only of runs that this state knows as over. */
  isOver(runId: string): Promise<boolean>;
  /** Runs `work` with a session of the API database. */
  withApi<T>(work: (session: Session) => Promise<T>): Promise<T>;
  openApi(): Promise<Session>;
  close(): Promise<void>;
}

/** Opens what the steps of a run need. Close it when the run ends or is left. */
export async function openRunContext(services: Services, run: Run): Promise<RunContext> {
  const definition = findDefinition(services.config, [`${run.environment}_${run.media}_data_refresh`]);
  const environment = await services.resolve(run.environment);
  const search = openSearchClient(environment.searchUrls);
  const session = { applicationName: `freshet run ${run.id}`.slice(0, 63), called: 'API database' };
  return {
    ...services,
    run,
    definition,
    environment,
    search,
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
    close: () => search.close(),
  };
}
