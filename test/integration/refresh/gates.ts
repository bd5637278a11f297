import { expect } from 'vitest';
import type { Session } from '../../../src/postgres/session.js';
import { openSession } from '../../../src/postgres/session.js';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import { waitForPhase } from './runState.js';

/**
 * Gates: places in catalog and API database at which a run waits as long as a test holds them shut, so that the phase is certainly under way.
 * They are functions that take a shared advisory lock; open they cost nothing.
 */
export const gates = {
  /** The copy's first scan, of the keys. */
  keys: { database: 'catalog', number: 1, phase: 'copy' },
  /** The copy's second scan, of the rows. */
  rows: { database: 'catalog', number: 2, phase: 'copy' },
  /** A unique index of the temp table. */
  uniqueIndex: { database: 'api', number: 3, phase: 'keys' },
  /** Another index of the temp table. */
  otherIndex: { database: 'api', number: 4, phase: 'constraints' },
} as const;

export type Gate = (typeof gates)[keyof typeof gates];

/** The catalog's view with gates, instead of its table. */
export const gatedUpstream = { media: { image: { main: { upstream: 'gated_image' } } } };

const passFunction = (volatility: 'immutable' | 'stable'): string => `
create function public.pass(gate integer, value anyelement) returns anyelement language plpgsql ${volatility} as
$$ begin perform pg_catalog.pg_advisory_xact_lock_shared(gate); return value; end $$`;

/** Adds the gates to the image tables of both sides. */
export async function addGates(local: LocalEnvironment): Promise<void> {
  await local.withCatalog(async (session) => {
    // Not volatile: the planner would call it also for whoever reads no column.
    await session.query(passFunction('stable'));
    const { rows } = await session.query<{ name: string; type: string }>(
      `select quote_ident(attname) as name, format_type(atttypid, atttypmod) as type from pg_attribute
       where attrelid = 'public.image'::regclass and attnum > 0 and not attisdropped order by attnum`,
    );
    const gated = new Map([
      ['identifier', gates.keys.number],
      ['title', gates.rows.number],
    ]);
    const columns = rows.map(({ name, type }) => {
      const gate = gated.get(name);
      return gate === undefined ? name : `public.pass(${gate}, ${name})::${type} as ${name}`;
    });
    await session.query(`create view public.gated_image as select ${columns.join(', ')} from public.image`);
  });
  await local.withApi(async (session) => {
    await session.query(passFunction('immutable'));
    await session.query(
      `create unique index image_gated_key on public.image (id, public.pass(${gates.uniqueIndex.number}, identifier));
       create index image_gated on public.image (public.pass(${gates.otherIndex.number}, identifier))`,
    );
  });
}

/** Shuts a gate. @returns what opens it again; also when the test's session ends. */
export async function shut(
  local: LocalEnvironment,
  { database, number }: Gate,
): Promise<() => Promise<void>> {
  return hold(local, database, `select pg_advisory_lock(${number})`);
}

/** Keeps what `statement` locks until the returned function is called. */
export async function hold(
  local: LocalEnvironment,
  database: 'catalog' | 'api',
  statement: string,
): Promise<() => Promise<void>> {
  const { url } = database === 'catalog' ? local.catalog : local.api;
  const session = await openSession(url, { applicationName: 'test blocker', called: database });
  await session.query('begin');
  await session.query(statement);
  let open = false;
  return async () => {
    if (open) return;
    open = true;
    await session.end();
  };
}

/** Waits until the run is in the phase and one of its sessions waits for a lock in that database. */
export async function waitUntilBlocked(
  local: LocalEnvironment,
  runId: string,
  { database, phase }: { readonly database: 'catalog' | 'api'; readonly phase: string },
): Promise<void> {
  const count = (session: Session): Promise<number> =>
    session
      .query<{ waiting: number }>(
        `select count(*)::int as waiting from pg_stat_activity
         where datname = current_database() and position($1 in application_name) > 0 and wait_event_type = 'Lock'`,
        [runId],
      )
      .then(({ rows }) => rows[0]?.waiting ?? 0);
  await waitForPhase(local, runId, phase);
  const look = (): Promise<number> =>
    database === 'catalog' ? local.withCatalog(count) : local.withApi(count);
  await expect.poll(look, { timeout: 60_000, interval: 50 }).toBeGreaterThan(0);
}
