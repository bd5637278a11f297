import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '../../src/postgres/session.js';
import { copies, type ExpectedEnd } from './checkEnd.js';
import type { Lane } from './lane.js';
import { tablesOf } from './model/media.js';
import { listRelations, listRuns, listSwaps } from './view.js';

/** Sessions and processes of the dead are gone within this time: the server, or the pipe to the parent, has to notice. */
const goneMs = 10_000;

interface Expected extends ExpectedEnd {
  /** The run that is live now; null = the one before. */
  readonly live: string | null;
}

/** What a run may not leave behind, and that it was promoted exactly once. */
export async function findLeftovers(lane: Lane, expected: ExpectedEnd): Promise<string[]> {
  const added = (await listRuns(lane)).filter((run) => !expected.baseline.runs.includes(run));
  const all = { ...expected, live: await findLiveRun(lane, expected, added) };
  return [
    ...(await checkRuns(lane, all, added)),
    ...(await checkPromotions(lane, all, added)),
    ...(await checkRelations(lane, all)),
    ...(await checkIndexes(lane)),
    ...(await checkSessions(lane)),
    ...(await checkProcesses(lane)),
  ];
}

async function findLiveRun(
  lane: Lane,
  { media, flow, baseline }: ExpectedEnd,
  added: readonly string[],
): Promise<string | null> {
  return lane.local.withState(async (session) => {
    const { rows } = await session.query<{ run: string }>(
      `select run_id as run from freshet.generations where media = $1 and state = 'live' and run_id = any ($2::text[])`,
      [media, flow === 'rollback' ? [baseline.previousRun] : added],
    );
    return rows[0]?.run ?? null;
  });
}

/** Queries on the state database that have to find nothing; $1: the runs since. */
const remainders: Readonly<Record<string, string>> = {
  'a lease is held': 'select run_id as what from freshet.leases',
  'a run is not over': 'select id as what from freshet.runs where finished_at is null',
  'a worker is not gone': `select run_id || ' ' || id as what from freshet.workers where state <> 'gone'`,
  'a slice is not done': `select s.run_id || ' ' || ordinal as what from freshet.slices s join freshet.runs r on r.id = s.run_id
     where r.state = 'succeeded' and s.state <> 'done'`,
  'a phase is not done': `select p.run_id || ' ' || name as what from freshet.phases p join freshet.runs r on r.id = p.run_id
     where r.state = 'succeeded' and p.state not in ('done', 'skipped')`,
  'a generation is still a candidate': `select run_id as what from freshet.generations where state = 'candidate'`,
  'more than one generation is live or previous': `select environment || ' ' || media || ' ' || state as what from freshet.generations
     where state in ('live', 'previous') group by environment, media, state having count(*) > 1`,
};

async function checkRuns(lane: Lane, { runs }: Expected, added: readonly string[]): Promise<string[]> {
  return lane.local.withState(async (session) => {
    const problems: string[] = [];
    const { rows } = await session.query<{ state: string; error: string | null }>(
      'select state, error::text from freshet.runs where id = any ($1::text[])',
      [added],
    );
    const wanted = Object.entries(runs).flatMap(([state, count]) =>
      Array.from({ length: count }, () => state),
    );
    const found = rows.map(({ state }) => state);
    if (wanted.sort().join() !== found.sort().join()) {
      const errors = rows.map(({ error }) => error ?? '').join(' ');
      problems.push(`the runs ended as ${found.join(', ')} instead of ${wanted.join(', ')} ${errors}`);
    }
    for (const [what, statement] of Object.entries(remainders)) {
      const left = (await session.query<{ what: string }>(statement)).rows.map((row) => row.what);
      if (left.length > 0) problems.push(`${what}: ${left.join(', ')}`);
    }
    return problems;
  });
}

/** One swap per run that copies; the state, the aliases and the marks of the tables name the same run. */
async function checkPromotions(lane: Lane, expected: Expected, added: readonly string[]): Promise<string[]> {
  const { flow, baseline, media, runs, live } = expected;
  const problems: string[] = [];
  const swaps = (await listSwaps(lane)).filter((run) => !baseline.swaps.includes(run));
  // The tables of a run that gave up between tables and aliases went live.
  const wanted = copies(flow) ? (runs['succeeded'] ?? 0) + (flow === 'recover' ? 1 : 0) : 0;
  if (swaps.length !== wanted || swaps.some((run) => !added.includes(run))) {
    problems.push(`${swaps.length} swaps (${swaps.join(', ')}) instead of ${wanted}`);
  }
  if ((live === null) !== (flow === 'cancel')) problems.push(`the live generation is of the run ${live}`);
  if (!copies(flow)) return problems;
  const marks = await lane.local.withApi((session) =>
    session.query<{ table: string; run: string }>(
      `select p.live_name as table, p.run_id as run from freshet.parts p join pg_class c on c.oid = p.oid
       where p.media = $1 and p.role = 'live' and c.relname = p.live_name`,
      [media],
    ),
  );
  for (const { live: table } of tablesOf[media]) {
    const run = marks.rows.find((row) => row.table === table)?.run;
    if (run !== live) problems.push(`${table} is marked as of the run ${run} instead of ${live}`);
  }
  return problems;
}

async function checkRelations(lane: Lane, { flow, media, baseline }: Expected): Promise<string[]> {
  const relations = await listRelations(lane);
  const keptRuns = (await listGenerations(lane)).map(({ run }) => run);
  const api = await lane.local.withApi(async (session) => {
    const { rows } = await session.query<{
      previous: string;
      candidates: string;
      removed: string;
      holders: string;
    }>(
      `select (select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
           and relname ~ ('^freshet_previous_(' || $1 || ')_[0-9a-f]{8}$')) as previous,
         (select count(*) from freshet.parts where role = 'candidate') as candidates,
         (select count(*) from freshet.removed) as removed, (select count(*) from freshet.holders) as holders`,
      [tablesOf[media].map(({ live }) => live).join('|')],
    );
    const { rows: applied } = await session.query<{ run: string }>(
      'select distinct run_id as run from freshet.applied',
    );
    const { rows: gone } = await session.query<{ name: string }>(
      'select name from freshet.parts p where not exists (select from pg_class c where c.oid = p.oid and c.relname = p.name)',
    );
    return { ...rows[0], applied: applied.map(({ run }) => run), gone: gone.map(({ name }) => name) };
  });
  // A run that does not copy shares the live tables with the generation before it: no other ones are needed any more.
  const previous = copies(flow) || flow === 'cancel' ? tablesOf[media].length : 0;
  const unneeded = api.applied.filter((run) => !keptRuns.includes(run));
  return [
    ...relations
      .filter((name) => !baseline.relations.includes(name))
      .map((name) => `left in the API database: ${name}`),
    ...baseline.relations
      .filter((name) => !relations.includes(name))
      .map((name) => `gone from the API database: ${name}`),
    ...(Number(api.previous) === previous ? [] : [`${api.previous} previous tables instead of ${previous}`]),
    ...(Number(api.candidates) === 0 ? [] : [`${api.candidates} tables are marked as candidates`]),
    ...(Number(api.removed) === 0 ? [] : [`${api.removed} rows are left in freshet.removed`]),
    ...(Number(api.holders) === 0 ? [] : [`${api.holders} runs hold the API database`]),
    ...api.gone.map((name) => `the mark of ${name} is left, the table is not`),
    ...unneeded.map((run) => `freshet.applied still has the run ${run}`),
  ];
}

interface KeptGeneration {
  readonly run: string;
  readonly media: string;
  readonly state: 'live' | 'previous';
  readonly main: string;
  readonly filtered: string;
}

async function listGenerations(lane: Lane): Promise<KeptGeneration[]> {
  return lane.local.withState(async (session) => {
    const { rows } = await session.query<KeptGeneration>(
      `select run_id as run, media, state, main_index as main, filtered_index as filtered from freshet.generations
       where state in ('live', 'previous')`,
    );
    return rows;
  });
}

/** The indexes of the kept generations, under the public aliases and no other ones; nothing writes any more. */
async function checkIndexes(lane: Lane): Promise<string[]> {
  const wanted = new Map<string, Set<string>>();
  const expect = (index: string, alias: string | null): void => {
    const aliases = wanted.get(index) ?? new Set<string>();
    wanted.set(index, alias === null ? aliases : aliases.add(alias));
  };
  for (const { media, state, main, filtered } of await listGenerations(lane)) {
    const alias = lane.aliasOf(media === 'image' ? 'image' : 'audio');
    expect(main, state === 'live' ? alias.main : null);
    expect(filtered, state === 'live' ? alias.filtered : null);
  }
  const found = await lane.local.indexes();
  const names = new Set([...wanted.keys(), ...Object.keys(found)]);
  const problems = [...names].flatMap((name) => {
    const [aliases, expected] = [
      found[name]?.toSorted().join(' '),
      [...(wanted.get(name) ?? [])].sort().join(' '),
    ];
    if (!wanted.has(name)) return [`the index ${name} (${aliases}) is left`];
    if (aliases === undefined) return [`the index ${name} is gone`];
    return aliases === expected
      ? []
      : [`the index ${name} has the aliases "${aliases}" instead of "${expected}"`];
  });
  const prefix = lane.local.aliases.image.replace(/_image$/, '');
  const others = await lane.local.search<Record<string, unknown>>(`*${prefix}*/_alias`);
  const tasks = await lane.local.search<object>('_tasks?actions=*reindex&detailed=true');
  return [
    ...problems,
    ...Object.keys(others)
      .filter((name) => !names.has(name))
      .map((name) => `the index ${name} is left`),
    ...(JSON.stringify(tasks).includes(prefix) ? [`a reindex task goes on: ${JSON.stringify(tasks)}`] : []),
  ];
}

async function checkSessions(lane: Lane): Promise<string[]> {
  const look = async (session: Session): Promise<string[]> => {
    const { rows } = await session.query<{ name: string }>(
      `select application_name as name from pg_stat_activity where datname = current_database() and application_name like 'freshet %'`,
    );
    return rows.map(({ name }) => name);
  };
  const lookAtBoth = async (): Promise<string[]> => [
    ...(await lane.local.withCatalog(look)),
    ...(await lane.local.withApi(look)),
  ];
  return (await untilEmpty(lookAtBoth)).map((name) => `the session "${name}" is left`);
}

async function checkProcesses(lane: Lane): Promise<string[]> {
  return (await untilEmpty(() => Promise.resolve(lane.listWorkers()))).map(
    (line) => `the process ${line} is left`,
  );
}

/** What `look` still finds when there has been time enough. */
async function untilEmpty(look: () => Promise<string[]>): Promise<string[]> {
  const deadline = Date.now() + goneMs;
  for (;;) {
    const found = await look();
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(50);
  }
}
