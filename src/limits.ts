/** Every limit of the product: the unit is in the name, the reason beside it. A limit that users may change is a default here and a key in the configuration. */

/** Postgres truncates longer names silently, which made two names collide in the predecessor (NAMEDATALEN - 1). */
export const identifierBytesMax = 63;

/** Reading one page of a catalog or of state must not hang a command: a server that answers slower than this is reported as unreachable. */
export const connectTimeoutMs = 10_000;

/** A session that is silent for so long asks whether its server is still there: a lost machine, or a firewall that forgot the connection, is noticed 10 s later. */
export const sessionKeepaliveMs = 30_000;

/** The state database serves a few short statements of one process; more connections would only take room from others. */
export const statePoolConnectionsMax = 6;

/** A worker process loads the configuration and connects; on a loaded 2-core machine that takes some seconds. */
export const workerStartMs = 60_000;

/** A worker that got SIGTERM gives its slice back and closes within a bulk request's time; one that hangs is killed. */
export const workerStopMs = 10_000;

/** Every call to a worker is answered from its memory, and repeated when it breaks off; a worker that is silent for longer is lost, its slice given to another. */
export const workerCallMs = 15_000;

/**
 * A worker whose task goes no further for so long is replaced, although it answers. Longer than its own patience with the cluster
 * (`bulkRetryBudgetMs`): it knows the reason better.
 */
export const workerStalledMs = 15 * 60_000;

/** The same while other workers go on: then it is no server that everybody waits for. Longer than a bulk request may take (`bulkAnswerMs`). */
export const workerStalledAloneMs = 3 * 60_000;

/** A database or cluster that no worker reaches for so long fails the run: a failover is over within some minutes. */
export const sliceHinderedMs = 10 * 60_000;

/** Tries in a row after which a worker that does not reach its servers is replaced, where others do. */
export const hindrancesMax = 3;

/** First and longest pause before a slice whose worker did not reach its servers is tried again: a restart takes seconds, a failover minutes. */
export const sliceRetryFirstMs = 1_000;
export const sliceRetryLongestMs = 15_000;

/** How often a worker is asked how its task stands. Short slices end soon, and an answer costs microseconds. */
export const workerPollMs = 200;

/** A slice over which so many workers were lost fails the run: a fault that follows the slice is not the workers'. */
export const sliceAttemptsMax = 4;

/** Progress is written for people and bars: twice a second is smooth, and one small update per run costs the state database nothing. */
export const progressWriteMs = 500;

/** A passing fault (a database restarting or failing over, a connection cut) is over within two to three minutes of back-off; then the run fails and can be retried. */
export const stepAttemptsMax = 9;

/** Indexer workers of one run. Above this a typing mistake is likelier than a fleet. */
export const workersMax = 100;

/** Shards of one index: the engines refuse more (`es.index.max_number_of_shards`). */
export const shardsMax = 1_024;

/** Replicas of a serving index; more than this many copies of the data is a typing mistake. */
export const replicasMax = 20;

/** A record limit above this is no sample any more: no `integer` id could name so many records. */
export const recordLimitMax = 2_147_483_647;

/** Records that a run copies by default on a host that is no production host: enough to try everything, quick to repeat. */
export const recordLimitLocal = 10_000;

/** Rows that the gate compares field by field: one read and one document each; 1,000,000 take minutes. */
export const sampleRowsMax = 1_000_000;

/** Documents per second of the filtered index; a larger number means "unlimited", which is written 0. */
export const reindexDocsPerSecondMax = 10_000_000;

/** Alias length: the engines allow 255 bytes for `<alias>-<suffix>-filtered`, and a suffix may have 64. */
export const aliasBytesMax = 180;

/** An answer about the cluster or from a program on this machine that takes longer is reported by the doctor as a problem. */
export const doctorCallMs = 10_000;

/** Share of its range that an id sequence may have used before the doctor warns: time for some refreshes is left. */
export const sequenceWarningShare = 0.8;

/** Share of its range at which the doctor calls an id sequence a problem: the next refresh may not have enough ids. */
export const sequenceProblemShare = 0.95;

/** Free share of a node's disk below which the engines allocate no new shards (low watermark, 85 % used). */
export const diskFreeShareMin = 0.15;

/** A backend of an older attempt of the same run must be gone before the next begins; it only has to notice a signal. */
export const backendEndTimeoutMs = 30_000;

/** A copy into the same table is an error of the caller, not something to wait for long: its backend may just be ending. */
export const copyLockTimeoutMs = 10_000;

/** Memory of the key join's sort and hash in the API database, per node: it spills to disk above, sequentially (measured: 1 MB costs little more). */
export const keyJoinWorkMemMb = 64;

/** Sent rows that are remembered so that an error that names a line can name its record: more than sockets on the way hold together. */
export const sentBytesRemembered = 16 * 1024 * 1024;

/** Keys that an error names at most. */
export const namedKeysMax = 10;

/** Progress of a copy is reported at most this often. */
export const copyProgressEveryMs = 250;

/** Rows between two passages of the copy's failpoint. */
export const copyFailpointRows = 100;

/** Start of an embedded Postgres: a second, or a crash recovery of some GB of WAL on a slow disk. */
export const embeddedPostgresStartMs = 60_000;

/** Start of an embedded search engine: 3-10 s on two cores, more on a loaded machine. */
export const embeddedSearchStartMs = 120_000;

/** An embedded server that has not stopped cleanly after this time is stopped by force; a checkpoint of some GB fits into it. */
export const embeddedStopMs = 15_000;

/** A free port can be taken by another process before the server binds it; five times in a row is another fault. */
export const embeddedPortTriesMax = 5;

/** As much of a server's log as an error shows: the reason is in the last lines. */
export const embeddedLogTailBytes = 4_000;

/** An autovacuum yields to a waiting lock only after `deadlock_timeout` (1 s); 50-ms waits never evicted one (60 of 60 tries failed). */
export const swapEvictionTimeoutMs = 5_000;

/** While the swap waits for its locks every reader of the table waits behind it: this bounds what a user notices. */
export const swapLockTimeoutMs = 50;

/** All locks of one try of the swap together: several tables that each wait just under their limit must not add up. */
export const swapLocksTimeoutMs = 100;

/** The whole locked part of a swap; it only changes the catalog (4-7 ms measured), more means that something waits unseen. */
export const swapStatementTimeoutMs = 30_000;

/** Pause between two tries of a lock: short at first (the blocker may be a page view), long when it goes on for hours. */
export const lockRetryDelayMsMin = 200;
export const lockRetryDelayMsMax = 5_000;

/** A lock outside the swap (adding a key, dropping an old table) is tried for this long before the step fails and can be resumed. */
export const lockWindowMs = 600_000;

/** Offending keys that an error names: enough to see the pattern, few enough to read. */
export const duplicateKeysShownMax = 10;

/** Sessions that are shown as blocking. */
export const blockersShownMax = 10;

/** Characters of a blocking session's statement that are shown. */
export const queryShownCharactersMax = 200;

/** A waiting run looks this often whether the environment is free: one indexed query, and a refresh takes minutes to hours. */
export const leasePollMs = 500;

/** One bulk request's body. 1 to 4 MB measured alike; smaller bodies cost requests, larger ones cost the engine heap. */
export const bulkBytesMax = 2 * 1024 * 1024;

/** Bulk requests of one task that are under way at once. One halves the rate, 2 to 4 measured alike; more only fills the engine's queue. */
export const bulkRequestsInFlightMax = 3;

/** A bulk request is answered in a second; one that takes longer than this is lost and sent again (index by id: twice is harmless). */
export const bulkAnswerMs = 120_000;

/** First and longest wait before documents are sent again. The engine's queue empties in tenths of seconds, a restart takes half a minute. */
export const bulkRetryFirstMs = 100;
export const bulkRetryLongestMs = 15_000;

/**
 * A write block of full disks (flood stage) that is still there after this time stays until somebody makes room: the engines look at their
 * disks every 30 s and lift it by themselves.
 */
export const noSpaceWaitMs = 35_000;

/** How often a long task of the engine is looked at for such a block. */
export const noSpaceLookMs = 5_000;

/** Documents that made no headway for so long fail their task: long enough for a rolling restart of the cluster. */
export const bulkRetryBudgetMs = 10 * 60_000;

/** A reject's reason is for people; the engine quotes the whole value in it. */
export const rejectReasonCharactersMax = 500;

/** Rejects that a run may be allowed, and that a task's status lists with id and reason: the gate excuses only those it knows by id. */
export const rejectsListedMax = 10_000;

/** Tasks that one worker does at once; each holds its own bulk requests in memory. One more is answered with 429. */
export const workerTasksAtOnceMax = 4;

/** Finished tasks that a worker remembers: its memory stays flat however long it lives. */
export const workerTasksRememberedMax = 1_000;

/** A worker looks at the table before it answers a POST; a table that is locked for longer is an error at once, not a caller that waits. */
export const workerCheckLockMs = 5_000;

/** A task is described in some hundred bytes; more is not one. */
export const workerBodyBytesMax = 64 * 1024;

/** The port of the indexer worker's HTTP interface, as Openverse's. */
export const workerPort = 8003;

/** What is done again when a worker dies: some seconds of work. */
export const rowsPerSlice = partSize(100_000);

/** Each slice costs a task, a query and a row of state; 10,000 of them are 100,000 rows each at 900 million. */
export const slicesMax = 10_000;

/** An ordinary request to the search cluster: settings, aliases, a page of hits. Each call has this limit from first byte sent to last byte read. */
export const searchRequestTimeoutMs = 60_000;

/** Refreshing or counting a large index that was loaded without refreshes may take minutes. */
export const searchLongRequestTimeoutMs = 600_000;

/** Repeats of a request that has the same effect however often it is sent, when the cluster does not answer or is overloaded: about half a minute in all. */
export const searchRepeatsMax = 6;

/** First pause before such a repeat; it doubles. */
export const searchRepeatPauseMs = 250;

/** Connections to one search node: polls and searches of one process; the bulk writers of workers have their own client. */
export const searchSocketsMax = 32;

/** The engines' limit for the name of an index or alias. */
export const indexNameBytesMax = 255;

/** A suffix may have so many characters, so that the longest alias allowed and `-filtered` fit into a name. */
export const indexSuffixCharsMax = 64;

/** One look at an index' health: shorter than any proxy's time-out; the wait as a whole is the caller's limit. */
export const greenPollMs = 10_000;

/** Buckets of one aggregation: far below the engines' 65,535 for a whole answer. */
export const aggregationBucketsMax = 1_000;

/** Hits of one page: the engines' `index.max_result_window`. */
export const searchPageHits = 10_000;

/** Documents of one `_mget`: some MB of answer. */
export const fetchDocumentsMax = 500;

/** Operations of one bulk request of the reconciliation: they are tiny. */
export const reconcileOperationsMax = 1_000;

/** Times that refused items of the reconciliation are sent (429, 503, conflicts); with pauses that double that is about half a minute. */
export const reconcileTriesMax = 7;

/** A list of sensitive terms: 1,000,000 terms of 32 characters. A larger answer is not a list of terms. */
export const termsBytesMax = 32 * 1024 * 1024;

/** Terms of the list; 100,000 are tested. */
export const termsMax = 1_000_000;

/** Characters of one term: a longer line is not a term but another kind of file. */
export const termCharsMax = 500;

/** Loading the list from a URL, redirects included. */
export const termsTimeoutMs = 30_000;

/** OpenSearch refuses queries of more than 1,024 clauses (measured on 3.8 and 2.19; Elasticsearch computes a larger limit). */
export const queryClausesMax = 900;

/** Words of one `terms` clause: below the engines' 65,536 (`index.max_terms_count`); a request of three fields has half a MB. */
export const queryWordsMax = 16_000;

/** Characters of one `_analyze` request: the engines refuse more than 10,000 tokens, and a token has at least one character. */
export const analyzeCharsMax = 9_000;

/** Searches for sensitive terms that run at once. */
export const termSearchesInFlight = 3;

/** Ids that one reindex task spans: what is done again when a task is lost. */
export const reindexRangeIds = partSize(100_000);

/** Ids that one reindex task leaves out: below the engines' 65,536 values of a `terms` clause. */
export const reindexExcludedIdsMax = 60_000;

/** Reindex tasks that run at once. */
export const reindexTasksInFlight = 2;

/** Documents of one batch of a reindex task: 1 to 3 MB. */
export const reindexBatchDocs = 2_000;

/** Times that the engine may lose one range's task (a node that left) before the step fails. */
export const reindexTriesMax = 4;

/** Longest pause between two looks at a reindex task. */
export const reindexPollMs = 1_000;

/** A cancelled reindex task ends after its current batch. */
export const reindexCancelTimeoutMs = 60_000;

/** A finished candidate waits this long for its locks before the run gives up; it stays promotable. Half a day: the reader may be a nightly export. */
export const swapLockWindowMinutesDefault = 12 * 60;

/** A week: then the next refresh is due. */
export const swapLockWindowMinutesMax = 7 * 24 * 60;

/** A cancellation waits so long for the end of a try of the swap's locks, of which the longest takes `swapEvictionTimeoutMs`. */
export const cancelPatienceMs = 10_000;

/** Between two such looks: shorter than the shortest pause between two tries (half of `lockRetryDelayMsMin`). */
export const cancelTryMs = 50;

/** A rollback is waited for by somebody, who wants to know who is in the way, and can try again: it gives up after minutes. */
export const rollbackLockWindowMs = 5 * 60_000;

/** Buckets of ids in which rows and documents are compared; the engine's aggregation takes this many in one answer. */
export const idBucketsMax = 500;

/** Rows compared with their documents at a time: some megabytes of both. */
export const sampleBatchRows = 1_000;

/** Replicas of a large index are copied over the network; an hour per 100 GB is slow, so this only ends what hangs. */
export const greenTimeoutMs = 6 * 3_600_000;

/** Values of one look-up by keyword; twice as many hits come back, below the engines' window of 10,000. */
export const lookupValuesMax = 4_000;

/** Sample records are sent to the catalog in chunks of about this size: large enough for few calls, small beside the process. */
export const sampleChunkBytes = 128 * 1024;

/** How often a followed run is looked at: smooth for the eye, three indexed queries for the database. */
export const followPollMs = 250;

/** Sample records of each media type: enough for every awkward case, loaded in a second. */
export const sampleRecordsDefault = 5_000;

/** Sample ids and urls are made from the record's number; beyond this the generator is not tested. */
export const sampleRecordsMax = 100_000_000;

/** Runs that `freshet status` lists at most: more than a screen, far from what a terminal or a reader can take. */
export const runsListedMax = 1_000;

/** A command that needs another process as orchestrator gives up after this time without one: a restart or a take-over is shorter. */
export const orchestratorWaitMs = 15_000;

/** Looks (`followPollMs` apart) before another orchestrator is believed to be there: the server drops a killed one's lock within a moment. */
export const orchestratorLooksMax = 4;

/** How often a command looks whether an orchestrator is there. */
export const orchestratorLookMs = 1_000;

/** The sample that everybody gets who does not ask for another one. */
export const sampleSeed = 42;

/** Rejected documents in a run's record as it is shown: the state has all of them. */
export const rejectsShownMax = 1_000;

/** The sample of the gate is the same on a second look. */
export const sampleRepeatSeed = 1;

/** Rows go through a worker's heap and leave it at once (13 MB stay, measured); without a bound the collector lets it grow with the work it has seen. */
export const workerHeapMb = 128;

/**
 * Half of the space in which a worker's rows are born and die. V8's own 16 MB let it reach its peak only after half a million rows (178 MB); with 4 MB
 * the peak is 138 MB after some ten thousand, and the rate is the same.
 */
export const workerYoungHeapMb = 4;

/** A server that cannot be reached when a run begins is an error at once (a first try may take `connectTimeoutMs`); later it is probably restarting. */
export const unreachableAtOnceMs = 15_000;

/** A promotion tries again for about half a day (at most 30 s apart) while a server is down: nothing else may end a half-done one. */
export const promoteAttemptsMax = 1_500;

/** Each pass takes what writers did during the one before, which is less every time; a writer faster than that must not hold a run for ever. */
export const reconcilePassesMax = 10;

/** Starts of one worker in a row: a machine that is short of memory for a moment recovers, a broken configuration does not. */
export const workerStartsMax = 3;

/** The orchestrator's sign of life; one small update. */
export const heartbeatEveryMs = 5_000;

/** An orchestrator without a sign for so long counts as frozen (after a second look): longer than a pause of garbage collection or of a restarting database. */
export const heartbeatStaleMs = 30_000;

/** An orchestrator that cannot write its sign of life for so long ends itself, before a standby may take over from it. */
export const leadershipLostMs = 20_000;

/** The state database's answer to "am I still the orchestrator"; asked before every write to the search cluster. */
export const leadershipCheckMs = 10_000;

/** How often a standby tries to become the orchestrator: it takes over within a moment after the other's end. */
export const standbyPollMs = 1_000;

/** How often a run looks whether it was cancelled: "within seconds" for the operator, one indexed query for the database. */
export const cancelPollMs = 500;

/** A server ends the sessions of a cancelled run in milliseconds; one that has not in so long is cut off, and what waits for it is let go. */
export const cancelBreakMs = 5_000;

/** After the first Ctrl-C on a followed run: time to press it again, which cancels the run. Long enough to read one line. */
export const secondInterruptMs = 2_000;

/** A hook without a time of its own: a webhook answers at once, a purge or a check takes minutes. */
export const hookTimeoutSecondsDefault = 300;

/** A hook may be a backup of a large database. */
export const hookTimeoutSecondsMax = 12 * 3_600;

/** Node's own limit until an answer begins: a longer one of ours would never come to pass. */
export const webhookTimeoutSecondsMax = 300;

/** Hooks before or after a promotion; more is a script. */
export const hooksMax = 20;

/** Promotion windows of one environment: each day of the week some. */
export const windowsMax = 50;

/** As much of a hook's output as is kept while it runs: whole lines around what is shown, so that no secret is cut in two before it is masked. */
export const hookOutputBytesMax = 64 * 1024;

/** Lines, and characters of each, of a hook's output that its event shows: the reason is in the last ones. */
export const hookLinesShown = 10;
export const hookLineCharactersMax = 300;

/** A hook that is to end gets this long between SIGTERM and SIGKILL. */
export const hookStopMs = 5_000;

/** What a hook left running may hold its output open; whoever waits for it reads no longer than this. */
export const hookOutputGraceMs = 500;

/** How often a candidate looks whether its window has opened: soon enough for a minute's precision, and for a changed clock. */
export const windowPollMs = 1_000;

/** Aliases follow the tables within a second or two; where they do not, whoever looks is told after this time. */
export const halfLiveToldMs = 30_000;

/** A candidate that was verified longer ago is reconciled and verified again before its promotion. */
export const verificationValidMs = 5 * 60_000;

/** One try to become the orchestrator: some statements, and the end of a frozen one's backends (`backendEndTimeoutMs`). */
export const candidacyMs = 60_000;

/** Giving the role of the orchestrator back, or the state database up, does not hold a process that ends: the server notices its end anyway. */
export const leadershipReleaseMs = 2_000;

/** A table that the sweeper may drop is tried for this long; its next sweep is minutes away, and a retry waits for this one. */
export const sweepLockWindowMs = 30_000;

/** One sweep's work in one database; dropping the tables of 900 million rows takes a minute or two. A server that is cut off would hold it for ever. */
export const sweepSessionMs = 15 * 60_000;

/** How often the orchestrator sweeps, repairs and compares what is live: leftovers cost disk for minutes, and looking costs some queries. */
export const maintenanceEveryMs = 5 * 60_000;

/** What the orchestrator does beside its runs ends within this time when it stops, or is left where it is. */
export const maintenanceStopMs = 2_000;

/** A repair that takes longer goes on beside the start of the orchestrator: a server that is cut off must not hold it up. */
export const startRepairMs = 5_000;

/** What `freshet status` asks each environment's servers; one that takes longer "cannot tell". */
export const statusCallMs = 3_000;

/** Events that `freshet status` shows: those of the last nights, on one screen. */
export const eventsShownMax = 10;

/** A run that is over is told so to whoever executes it at once, or with the next try of a statement whose answer was lost (0.5 s). */
export const runEndWaitMs = 5_000;

/** How often `freshet up` looks for events to tell; one small query. */
export const eventPollMs = 1_000;

/** Hours that what a failed run made may wait for its retry: a year. */
export const keepFailedHoursMax = 8_760;

/**
 * Tests with few rows have several slices and ranges, too: `FRESHET_TEST_PART_ROWS=<rows>` cuts work into parts of so many. Every process of a
 * test has it; a product that is used has not.
 */
function partSize(rows: number): number {
  const wanted = Number(process.env['FRESHET_TEST_PART_ROWS'] ?? rows);
  return Number.isSafeInteger(wanted) && wanted > 0 ? Math.min(rows, wanted) : rows;
}

/** How often a process looks whether another one has finished creating the engine's tables: once per release, and it takes a second. */
export const migrationPollMs = 50;

/** Creating or changing the state's tables takes a second or two; who has the lock for longer is frozen, and others are told so. */
export const migrationWaitMs = 30_000;

/** Events that belong to no run (schedules, repairs, drift) are kept for a quarter; those of runs as long as the runs. */
export const keepEventsDays = 90;

/** A tick of a schedule that nobody was there for is still fired within this time: a restart or a take-over must not cost a weekly run. */
export const scheduleGraceMs = 5 * 60_000;

/** How often the schedules are looked at; schedules name minutes, and it is one small query. */
export const schedulePollMs = 1_000;

/** What `freshet deploy-check` waits for one database: a script waits for it, and a database that is slower cannot be told about. */
export const deployCheckMs = 20_000;

/** Successful runs that an expected end is estimated from: more would remember a catalog of long ago. */
export const estimateRunsMax = 5;

/** `freshet up` that is asked to end does so within this time, whatever does not answer: well below what service managers wait (90 s, 30 s, 10 s). */
export const upStopMs = 8_000;

/** A timer that fires so much later than it should tells that the process stood still: far more than a garbage collection or a busy machine makes. */
export const frozenMs = 3_000;

/** Records whose presence in the catalog is asked for at once, when a promotion is planned: a request of some hundred kilobytes. */
export const orphanLookRows = 5_000;

/** Rows of the live table that `freshet verify` reads in one transaction: some ten milliseconds, so that a swap that waits for the table is not kept waiting. */
export const verifyPageRows = partSize(2_000);

/** One page's read. It is over in milliseconds; one that takes longer waits for a lock, or the table lacks an index on its ids. */
export const verifyPageTimeoutMs = 60_000;

/** The scan of the catalog: hours at 900 million rows, as the copy's own. What takes longer holds back the catalog's vacuum for nothing. */
export const verifyScanTimeoutMs = 24 * 3_600_000;

/** A catalog session that nobody reads from any more (a machine that is lost) lets go of its snapshot after this time. */
export const verifyIdleTimeoutMs = 10 * 60_000;

/** Files that rows are sorted into by their key, on each side; one more level of them where one is too large for memory. */
export const verifyPartitions = 64;

/** As much of one such file as is compared in memory. */
export const verifyPartitionBytesMax = 8 * 1024 * 1024;

/** What is written to such a file at once; there are twice `verifyPartitions` of these buffers. */
export const verifyBufferBytes = 32 * 1024;

/** Rows whose values the API database reads as the types of its columns, in one statement. */
export const verifyValuesMax = 1_000;

/** How far the clocks of those who write to the catalog may be ahead of its own: later times of change are no times of change. */
export const verifyClockSkewMinutes = 60;

/** Promotions during a comparison after which it gives up: each makes it begin anew, and one a day is much. */
export const verifyAttemptsMax = 3;

/** Keys of each kind that `freshet verify` prints unless it is told otherwise. */
export const verifyShownDefault = 10;

/** Keys of each kind that are kept in memory to be printed; all of them go to a file. */
export const verifyShownMax = 10_000;

/** Documents of one page of an index: some megabytes of answer. */
export const documentPageHits = 5_000;

/** A command that failed ends when nothing is left to do, at the latest after this time. */
export const endWaitMs = 10_000;

/** Shards of an engine that was started a moment ago are up in a second or two; what is not by then is down. */
export const indexUpWaitMs = 5_000;
