import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { setImmediate as breathe } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { quoteIdentifier, quoteLiteral } from '../../../src/postgres/identifiers.js';
import { openSession, withSession, type Session } from '../../../src/postgres/session.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { uniqueName } from '../../setup/databases.js';
import { LocalEnvironment, outcomeOf, type CommandOutcome } from '../../setup/localEnvironment.js';

/** However a text is escaped on its way, this part of each secret stays as it is. */
const traces = ['sesamecat', 'sesameapi', 'sesamestate', 'sesamesearch', 'sesamelist', 'sesameterm'] as const;
type Owner = 'cat' | 'api' | 'state' | 'search' | 'list';
const passwordOf = (owner: Owner): string => `it's "%41\\@:/?#&\${x} sesame${owner}`;

/** Where a trace was seen, with what is around it. */
const seen = new Set<string>();
function look(place: string, text: string): void {
  for (const trace of traces) {
    const at = text.indexOf(trace);
    if (at >= 0) seen.add(`${place}: …${text.slice(Math.max(0, at - 60), at + trace.length)}`);
  }
}

function withUser(url: string, user: string, password: string): string {
  const own = new URL(url);
  own.username = user;
  return own.href.replace(/\/\/([^:@/]*)(:[^@]*)?@/, `//$1:${encodeURIComponent(password)}@`);
}

/** What every user of this machine can read of every process. */
async function lookAtProcesses(): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    // A process may end while it is looked at.
    look('arguments of a process', await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
  }
}

async function lookAtSessions(session: Session): Promise<void> {
  const { rows } = await session.query<{ text: string }>(
    `select application_name || ' ' || query as text from pg_stat_activity where pid <> pg_backend_pid() and usename like 'sesame_%'`,
  );
  for (const { text } of rows) look('pg_stat_activity', text);
}

async function lookAtTables(session: Session, place: string, schemas: readonly string[]): Promise<number> {
  const { rows: tables } = await session.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relkind in ('r', 'p') and relnamespace::regnamespace::text = any($1)`,
    [schemas],
  );
  for (const { name } of tables) {
    const { rows } = await session.query<{ text: string }>(`select t::text as text from ${name} t`);
    for (const { text } of rows) look(`${place} ${name}`, text);
  }
  return tables.length;
}

describe('D18, I9: passwords with quotes, and the list of terms', () => {
  let local: LocalEnvironment;
  let server: Server;
  let listed: string | undefined;
  let env: Record<string, string>;
  const user = uniqueName('sesame');
  const asOwner = <T>(url: string, work: (session: Session) => Promise<T>) =>
    withSession(url, { applicationName: 'test', called: 'test' }, work);

  beforeAll(async () => {
    const parts = inject('parts');
    local = await LocalEnvironment.create(parts);
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    const create = (name: string, password: string) =>
      `create role ${quoteIdentifier(name)} login superuser password ${quoteLiteral(password)}`;
    await asOwner(parts.catalogUrl, (session) => session.query(create(user, passwordOf('cat'))));
    await asOwner(parts.apiUrl, (session) =>
      session.query(`${create(user, passwordOf('api'))}; ${create(`${user}_state`, passwordOf('state'))}`),
    );
    server = createServer((request, response) => {
      listed = Buffer.from(request.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
      response.setHeader('content-type', 'text/plain');
      response.end('sesameterm\nnothing has this sesameterm phrase\n');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    env = {
      FRESHET_DEBUG: '1',
      FRESHET_CATALOG_URL: withUser(local.catalog.url, user, passwordOf('cat')),
      FRESHET_API_URL: withUser(local.api.url, user, passwordOf('api')),
      FRESHET_STATE_URL: withUser(local.state.url, `${user}_state`, passwordOf('state')),
      FRESHET_SEARCH_URL: withUser(local.searchUrl.replace('//', '//x@'), user, passwordOf('search')),
      FRESHET_SENSITIVE_TERMS: `http://reader:${encodeURIComponent(passwordOf('list'))}@127.0.0.1:${port}/terms?token=sesamelist`,
    };
  });
  afterAll(async () => {
    const parts = inject('parts');
    server.close();
    await local.drop();
    await asOwner(parts.catalogUrl, (session) => session.query(`drop role ${quoteIdentifier(user)}`));
    await asOwner(parts.apiUrl, (session) =>
      session.query(`drop role ${quoteIdentifier(user)}; drop role ${quoteIdentifier(`${user}_state`)}`),
    );
  });

  /** Runs a command and looks at everything that others can see meanwhile. */
  const runWatched = async (...words: string[]): Promise<CommandOutcome> => {
    const sessions = await Promise.all(
      [local.catalog.url, local.api.url].map((url) =>
        openSession(url, { applicationName: 'test', called: 'test' }),
      ),
    );
    const child = local.spawn(words, env);
    const ended = outcomeOf(child);
    let looks = 0;
    while (child.exitCode === null && child.signalCode === null) {
      await lookAtProcesses();
      for (const session of sessions) await lookAtSessions(session);
      looks += 1;
      await breathe();
    }
    for (const session of sessions) await session.end();
    expect(looks).toBeGreaterThan(0);
    const outcome = await ended;
    look(`output of ${words[0]}`, outcome.stdout + outcome.stderr);
    return outcome;
  };

  const lookAtWhatIsLeft = async (): Promise<void> => {
    const inState = await local.withState((session) => lookAtTables(session, 'state', ['freshet', 'dbos']));
    expect(inState).toBeGreaterThan(12);
    await local.withApi((session) => lookAtTables(session, 'API database', ['freshet']));
    look('index', JSON.stringify(await local.search(`${local.aliases.image}*`)));
    const { rows } = await local.withApi((session) =>
      session.query('select from pg_foreign_server union all select from pg_user_mapping'),
    );
    expect(rows).toHaveLength(0);
  };

  it('would be seen in arguments and sessions (a check of this test)', async () => {
    const child = spawn('sleep', ['60'], { argv0: 'sesamecat' });
    const session = await openSession(env['FRESHET_API_URL'] ?? '', {
      applicationName: 'sesameapi',
      called: 'test',
    });
    await lookAtProcesses();
    await local.withApi(lookAtSessions);
    await session.end();
    child.kill();
    expect([...seen].sort()).toEqual([
      expect.stringMatching(/^arguments of a process: …sesamecat$/),
      expect.stringMatching(/^pg_stat_activity: …sesameapi$/),
    ]);
    seen.clear();
  });

  it('work in every URL, and appear in no output, state, statement, index or argument', async () => {
    const outcome = await runWatched('refresh', 'local', 'image', '--json');
    expect(outcome.stderr).toMatch(/worker/);
    expect(outcome.status).toBe(0);
    expect(listed).toBe(`reader:${passwordOf('list')}`);
    await lookAtWhatIsLeft();
    expect([...seen]).toEqual([]);
  });

  it('appear nowhere when a run fails, nor in what status, doctor and config show', async () => {
    await local.withApi((session) => session.query('alter table public.image rename column tags to labels'));
    expect((await runWatched('refresh', 'local', 'image')).status).toBe(2);
    await local.withApi((session) => session.query('alter table public.image rename column labels to tags'));
    for (const words of [
      ['status', '--json'],
      ['doctor', 'local', '--json'],
      ['config', '--json'],
    ]) {
      const outcome = await runWatched(...words);
      expect(() => JSON.parse(outcome.stdout) as unknown).not.toThrow();
    }
    await lookAtWhatIsLeft();
    expect([...seen]).toEqual([]);
  });
});
