import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { addApiActivity, fillCatalog } from '../../src/sample/index.js';
import { withSession, type Session } from '../../src/postgres/session.js';
import type { TestDatabase } from '../setup/databases.js';
import { LocalEnvironment } from '../setup/localEnvironment.js';
import type { TestParts } from '../setup/parts.js';
import type { Media } from './model/media.js';
import { SearchTemplate } from './searchTemplate.js';

/** Every awkward kind of record is among the first few hundred; more would only take time. */
const records = { image: 620, audio: 460 } as const;

/** Sensitive terms when the first generations are made. */
export const templateTerms: readonly string[] = ['lighthouse'];

/** So that a run has several slices and ranges. */
const partRows = 250;

/**
 * An environment that rounds use one after the other: each begins with databases and indexes as they are after two refreshes of both media types,
 * so that there is a live and a previous generation, whatever the round before did.
 */
export class Lane {
  private constructor(
    readonly local: LocalEnvironment,
    private readonly search: SearchTemplate,
  ) {}

  static async create(parts: TestParts, seed: number): Promise<Lane> {
    const local = await LocalEnvironment.create(parts, {
      env: { FRESHET_TEST_PART_ROWS: String(partRows) },
      overrides: configuration({}),
    });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: records.image, seed });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: records.audio, seed });
    for (const media of ['image', 'audio'] as const) await addFeatures(local, media);
    const lane = new Lane(local, new SearchTemplate(local));
    await lane.writeTerms(templateTerms);
    await lane.refreshBoth();
    await local.withApi((session) => addApiActivity(session, seed));
    await lane.refreshBoth();
    await lane.search.remember();
    await Promise.all([local.catalog, local.api, local.state].map(makeTemplate));
    return lane;
  }

  private async refreshBoth(): Promise<void> {
    for (const media of ['image', 'audio']) {
      const outcome = await this.local.run(['refresh', 'local', media], this.env);
      if (outcome.status !== 0) throw new Error(`the template could not be made:\n${outcome.stderr}`);
    }
  }

  /** The environment variables of every command. */
  get env(): Record<string, string> {
    return { FRESHET_SENSITIVE_TERMS: `${this.local.folder}/terms.txt` };
  }

  async writeTerms(terms: readonly string[]): Promise<void> {
    await this.local.writeFile('terms.txt', `${terms.join('\n')}\n`);
  }

  /** From the next command on the promotion waits for a window that is a day away, or it does not wait. */
  async setWindow(kind: 'open' | 'closed'): Promise<void> {
    await this.local.writeConfig(configuration(kind === 'open' ? {} : { windows: [tomorrow()] }));
  }

  /** From the next command on the gate refuses what has fewer documents of a source than there were; `setWindow` takes that back. */
  async setStrictGate(): Promise<void> {
    await this.local.writeConfig(configuration({}, { sourceLossShareMax: 0, totalLossShareMax: 0 }));
  }

  /** What a run leaves that gave up after half a day of a cluster that was down. */
  async giveUp(run: string): Promise<void> {
    await this.local.withState(async (session) => {
      await session.query(
        `update freshet.runs set state = 'failed', finished_at = now(), error = '{"code": "PROMOTION_INCOMPLETE"}' where id = $1`,
        [run],
      );
      await session.query(
        `update freshet.phases set state = 'failed' where run_id = $1 and name = 'promote'`,
        [run],
      );
      await session.query('delete from freshet.leases where run_id = $1', [run]);
      await session.query(`update dbos.workflow_status set status = 'ERROR' where workflow_uuid = $1`, [run]);
    });
  }

  /** The state database is an empty one, and the process of the lost one has been silent for long. */
  async loseState(): Promise<void> {
    await maintain(this.local.state, [
      `drop database if exists "${this.local.state.name}" with (force)`,
      `create database "${this.local.state.name}"`,
    ]);
    const ours = `select from pg_stat_activity where datname = current_database() and application_name like 'freshet %'`;
    const waitForNone = async (session: Session): Promise<void> => {
      while ((await session.query(ours)).rows.length > 0) await sleep(50);
    };
    await this.local.withCatalog(waitForNone);
    await this.local.withApi(async (session) => {
      await waitForNone(session);
      await session.query(`update freshet.holders set seen_at = seen_at - interval '1 hour'`);
    });
  }

  /** Everything as it was at the beginning; `previous`: also the documents of the previous generations, which only a rollback looks at. */
  async reset({ previous = false } = {}): Promise<void> {
    const { catalog, api, state } = this.local;
    await this.setWindow('open');
    await Promise.all([this.search.restore(previous), ...[catalog, api, state].map(restoreDatabase)]);
  }

  aliasOf(media: Media): { readonly main: string; readonly filtered: string } {
    const main = this.local.aliases[media];
    return { main, filtered: `${main}-filtered` };
  }

  /** Workers of this environment that are alive: they have its configuration in their command line. */
  listWorkers(): string[] {
    return readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      const commandLine = readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      return commandLine.includes(this.local.folder) ? [`${pid} ${commandLine}`] : [];
    });
  }

  async drop(): Promise<void> {
    const { catalog, api, state } = this.local;
    await this.local.drop();
    for (const database of [catalog, api, state]) {
      await maintain(database, [`drop database if exists "${templateOf(database)}" with (force)`]);
    }
  }
}

/** Two hooks on each side, so that there is a point between them. */
function configuration(promotion: object, gate: object = {}): Readonly<Record<string, unknown>> {
  const hooks = [{ command: ['true'] }, { command: ['true'] }];
  return { environments: { local: { promotion: { before: hooks, after: hooks, ...promotion }, gate } } };
}

function tomorrow(): object {
  const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
  return { days: [days[(new Date().getUTCDay() + 2) % 7]], from: '00:00', to: '24:00' };
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What a table of the API may have, which the swap has to carry: CHECK, keys both ways, view, grants, comments, default, parameters. */
async function addFeatures(local: LocalEnvironment, media: Media): Promise<void> {
  await local.withApi((session) =>
    session.query(`
      create table if not exists public.editor (id integer primary key);
      insert into public.editor values (1) on conflict do nothing;
      alter table public.${media} add column editor_id integer default 1;
      alter table public.${media} add constraint ${media}_editor_fk foreign key (editor_id) references public.editor (id) deferrable initially deferred;
      alter table public.${media} add constraint ${media}_filesize_check check (filesize is null or filesize >= 0);
      create index ${media}_popular on public.${media} (lower(title)) where view_count > 0;
      create view public.popular_${media} as select id, url, view_count from public.${media} where view_count > 0;
      comment on table public.${media} is 'every ${media}; it''s "quoted"';
      comment on column public.${media}.title is 'as the provider calls it';
      comment on constraint ${media}_filesize_check on public.${media} is 'no file has less than nothing';
      comment on index public.${media}_popular is 'for the front page';
      grant select on public.${media} to public;
      alter table public.${media} alter title set statistics 500;
      alter table public.${media} set (fillfactor = 95);
    `),
  );
}

function templateOf({ name }: TestDatabase): string {
  return `${name}_template`;
}

async function makeTemplate(database: TestDatabase): Promise<void> {
  await maintain(database, [
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${database.name}'`,
    `create database "${templateOf(database)}" template "${database.name}"`,
  ]);
}

async function restoreDatabase(database: TestDatabase): Promise<void> {
  await maintain(database, [
    `drop database if exists "${database.name}" with (force)`,
    `create database "${database.name}" template "${templateOf(database)}"`,
  ]);
}

async function maintain(database: TestDatabase, statements: readonly string[]): Promise<void> {
  const url = new URL(database.url);
  url.pathname = '/postgres';
  await withSession(url.href, { applicationName: 'crash test', called: 'server' }, async (session) => {
    for (const statement of statements) await session.query(statement);
  });
}
