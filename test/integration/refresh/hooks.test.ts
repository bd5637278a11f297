import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf, type CommandOutcome } from '../../setup/localEnvironment.js';

interface Told {
  readonly run: {
    readonly id: string;
    readonly state: string;
    readonly error: { code: string; message: string } | null;
  };
  readonly events: readonly { readonly level: string; readonly kind: string; readonly message: string }[];
  readonly phases: readonly { readonly name: string; readonly state: string; readonly startedAt: string }[];
}

interface Called {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, string>;
}

/** Appends what it was told, and what is live, to `calls.jsonl`; with a file `no` it says no. */
const noteScript = `import { appendFileSync, existsSync } from 'node:fs';
const told = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('FRESHET_')));
const live = await (await fetch(process.env.FRESHET_SEARCH_URL + '/_alias/' + told.FRESHET_ALIAS)).json();
appendFileSync('calls.jsonl', JSON.stringify({ words: process.argv.slice(2), told, live: Object.keys(live) }) + '\\n');
console.log('first line');
console.error('\\u001b[31mthe last\\u0000 line\\u0007');
if (existsSync('no')) process.exit(3);
`;

describe('hooks', () => {
  let local: LocalEnvironment;
  let server: Server;
  let called: Called[];
  let answer: { status: number; headers?: Record<string, string>; text?: string } | 'never';

  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
    await local.writeFile('note.mjs', noteScript);
    called = [];
    answer = { status: 204 };
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        called.push({ headers: request.headers, body: JSON.parse(text) as Record<string, string> });
        if (answer !== 'never') response.writeHead(answer.status, answer.headers).end(answer.text);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await local.drop();
  });

  const note = (...words: string[]) => ({ command: [process.execPath, 'note.mjs', ...words] });
  const configure = (promotion: unknown) => local.writeConfig({ environments: { local: { promotion } } });
  const address = () => {
    const { port } = server.address() as { port: number };
    return `127.0.0.1:${port}`;
  };
  const webhook = { url: { env: 'TEST_HOOK' } };
  const hookUrl = () => ({ TEST_HOOK: `http://${address()}/hook` });
  const json = (args: readonly string[], env: Record<string, string> = {}) =>
    local.run([...args, '--json'], env);
  const refresh = (env: Record<string, string> = {}) => json(['refresh', 'local', 'image'], env);
  const toldBy = ({ stdout }: CommandOutcome): Told => JSON.parse(stdout) as Told;
  const phase = (told: Told, name: string) => told.phases.find((one) => one.name === name);

  const noted = async () => {
    const text = await readFile(join(local.folder, 'calls.jsonl'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(
        (line) =>
          JSON.parse(line) as { words: string[]; told: Record<string, string>; live: (string | undefined)[] },
      );
  };

  const kill = async (
    failpoint: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<void> => {
    const child = local.spawn(args, { ...env, FRESHET_FAILPOINT: failpoint });
    child.stdout?.resume();
    child.stderr?.resume();
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal, `the process was to be killed at ${failpoint}`).toBe('SIGKILL');
  };

  const expectNothingLive = async (): Promise<void> => {
    expect((await local.documents(local.aliases.image).catch(() => new Map())).size).toBe(0);
    const { rows } = await local.withApi((session) => session.query('select 1 from public.image limit 1'));
    expect(rows).toEqual([]);
  };

  it('are asked before and told after the promotion, in their order, with what they have to know', async () => {
    await configure({ before: [note('one'), note('two')], after: [note('three')] });
    const outcome = await json(['refresh', 'local', 'image', '--index-suffix', 'a']);
    expect(outcome.status).toBe(0);
    const { run, events } = toldBy(outcome);
    const calls = await noted();
    expect(calls.map(({ words, live }) => [words, live])).toEqual([
      [['one'], ['error', 'status']],
      [['two'], ['error', 'status']],
      [['three'], [`${local.aliases.image}-a`]],
    ]);
    expect(calls[0]?.told).toMatchObject({
      FRESHET_MOMENT: 'before',
      FRESHET_RUN_ID: run.id,
      FRESHET_DEFINITION: 'local_image_data_refresh',
      FRESHET_ENVIRONMENT: 'local',
      FRESHET_MEDIA: 'image',
      FRESHET_FLOW: 'refresh',
      FRESHET_ALIAS: local.aliases.image,
      FRESHET_FILTERED_ALIAS: `${local.aliases.image}-filtered`,
      FRESHET_INDEX: `${local.aliases.image}-a`,
      FRESHET_FILTERED_INDEX: `${local.aliases.image}-a-filtered`,
      FRESHET_IDEMPOTENCY_KEY: `${run.id}/1/before/1`,
    });
    const told = events.filter(({ kind }) => kind === 'hook.done').map(({ message }) => message);
    expect(told.length).toBe(3);
    expect(told[0]).toMatch(
      /^hook 1 before the promotion \(.*\) ended with status 0 after .* s\n {2}first line\n {2}the last line$/,
    );
  });

  it('that say no refuse the promotion with their last lines; a retry asks again and goes on with it', async () => {
    await configure({ before: [note()] });
    await local.writeFile('no', '');
    const refused = await refresh();
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run).toMatchObject({ state: 'refused', error: { code: 'HOOK_REFUSED' } });
    expect(toldBy(refused).run.error?.message).toMatch(/ended with status 3 after .*the last line$/s);
    expect(refused.stderr).toContain(`freshet retry ${toldBy(refused).run.id}`);
    await expectNothingLive();
    const again = await json(['retry', toldBy(refused).run.id]);
    expect(again.status).toBe(2);
    await local.writeFile('note.mjs', noteScript.replace(`existsSync('no')`, 'false'));
    const retried = await json(['retry', toldBy(refused).run.id]);
    expect(retried.status).toBe(0);
    expect(phase(toldBy(retried), 'copy')?.startedAt).toBe(phase(toldBy(refused), 'copy')?.startedAt);
    const keys = (await noted()).map(({ told }) => told['FRESHET_IDEMPOTENCY_KEY']);
    expect(keys).toEqual([1, 2, 3].map((attempt) => `${toldBy(refused).run.id}/${attempt}/before/1`));
  });

  it('that fail after the promotion are shown, and nothing is undone; the others are told nevertheless', async () => {
    await configure({ after: [{ command: ['false'] }, note('two')] });
    const outcome = await refresh();
    expect(outcome.status).toBe(0);
    const told = toldBy(outcome);
    expect(told.run.state).toBe('succeeded');
    expect(phase(told, 'after-hooks')?.state).toBe('failed');
    expect(phase(told, 'clean-up')?.state).toBe('done');
    expect(told.events.filter(({ level }) => level === 'error')).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('hook 1 after the promotion (false) ended with status 1') as string,
      }),
    ]);
    expect((await noted()).map(({ words }) => words)).toEqual([['two']]);
    expect((await local.documents(local.aliases.image)).size).toBeGreaterThan(400);
  });

  it('may be webhooks: POST with JSON, credentials as a header, and a key for repeats', async () => {
    await configure({ before: [webhook], after: [webhook] });
    const outcome = await refresh({ TEST_HOOK: `http://user:pass%20word@${address()}/hook?token=abc` });
    expect(outcome.status).toBe(0);
    const { run } = toldBy(outcome);
    expect(
      called.map(({ body, headers }) => [body['moment'], headers['idempotency-key'], body['idempotencyKey']]),
    ).toEqual([
      ['before', `${run.id}/1/before/1`, `${run.id}/1/before/1`],
      ['after', `${run.id}/1/after/1`, `${run.id}/1/after/1`],
    ]);
    expect(called[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from('user:pass word').toString('base64')}`,
    });
    expect(called[0]?.body).toMatchObject({
      runId: run.id,
      media: 'image',
      environment: 'local',
      flow: 'refresh',
    });
  });

  it('that are webhooks and answer with an error, a redirect, too late or not at all have not said yes', async () => {
    await configure({ before: [{ ...webhook, timeoutSeconds: 1 }] });
    const url = hookUrl();
    answer = { status: 500, text: 'the reason' };
    const first = await refresh(url);
    expect(toldBy(first).run.error?.message).toMatch(/answered with HTTP 500 after .*the reason/s);
    const cases: [() => void, RegExp][] = [
      [() => (answer = { status: 302, headers: { location: '/yes' } }), /answered with HTTP 302/],
      [() => (answer = 'never'), /took longer than 1 s/],
      [() => server.close(), /could not be reached \(ECONNREFUSED\)/],
    ];
    for (const [prepare, message] of cases) {
      prepare();
      const refused = await json(['retry', toldBy(first).run.id], url);
      expect(refused.status).toBe(2);
      expect(toldBy(refused).run.error).toMatchObject({ code: 'HOOK_REFUSED' });
      expect(toldBy(refused).run.error?.message).toMatch(message);
    }
    expect(called.length).toBe(3);
    await expectNothingLive();
  });

  /** Starts a process of its own and waits; both write their pid. */
  const sleeper = `import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
const child = spawn('sleep', ['300'], { stdio: 'inherit' });
writeFileSync('pids', process.pid + ' ' + child.pid);
process.on('SIGTERM', () => undefined);
setInterval(() => undefined, 1000);
`;

  const waitFor = async <T>(what: string, look: () => Promise<T | null>): Promise<T> => {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      if (Date.now() > deadline) throw new Error(`${what} did not come`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  const pids = () =>
    waitFor('the hook', async () => {
      const text = await readFile(join(local.folder, 'pids'), 'utf8').catch(() => '');
      return text === '' ? null : text.split(' ').map(Number);
    });

  const expectGone = async (processes: readonly number[]): Promise<void> => {
    for (const pid of processes) {
      await waitFor(`the end of process ${pid}`, async () => {
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
        return stat === null || /\) Z /.test(stat) ? true : null;
      });
    }
  };

  it('that take too long are ended with what they started, and have not said yes', async () => {
    await local.writeFile('sleep.mjs', sleeper);
    await configure({ before: [{ command: [process.execPath, 'sleep.mjs'], timeoutSeconds: 2 }] });
    const refused = await refresh();
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run.error?.message).toMatch(/took longer than 2 s/);
    await expectGone(await pids());
  });

  it('can be cancelled while they run: they end, and nothing is left of the run', async () => {
    await local.writeFile('sleep.mjs', sleeper);
    await configure({ before: [{ command: [process.execPath, 'sleep.mjs'] }] });
    const child = local.spawn(['refresh', 'local', 'image', '--json']);
    const ended = outcomeOf(child);
    const processes = await pids();
    const { rows } = await local.withState((session) =>
      session.query<{ id: string }>('select id from freshet.runs'),
    );
    const cancelled = await json(['cancel', rows[0]?.id ?? '']);
    expect(cancelled.status).toBe(0);
    expect(toldBy(await ended).run.state).toBe('cancelled');
    await expectGone(processes);
    await expectNothingLive();
    expect(await local.indexes()).toEqual({});
  });

  it.each([
    ['before-hooks.called', 'before'],
    ['before-hooks.recorded', 'before'],
    ['after-hooks.called', 'after'],
  ])(
    'are called at least once: killed at %s they are called with the same keys, if again',
    async (failpoint, moment) => {
      await configure({ [moment]: [webhook] });
      await kill(failpoint, ['refresh', 'local', 'image'], hookUrl());
      expect(called.length).toBe(1);
      const resumed = await refresh(hookUrl());
      expect(resumed.status).toBe(0);
      const keys = called.map(({ headers }) => headers['idempotency-key']);
      expect(keys).toEqual(Array.from({ length: failpoint.endsWith('called') ? 2 : 1 }, () => keys[0]));
      expect((await local.documents(local.aliases.image)).size).toBeGreaterThan(400);
    },
  );

  it('are called for a filtered index that is rebuilt alone', async () => {
    expect((await refresh()).status).toBe(0);
    await configure({ before: [note()], after: [note()] });
    const rebuilt = await json(['filtered-index', 'local', 'image', '--destination-suffix', 'alone']);
    expect(rebuilt.status).toBe(0);
    expect((await noted()).map(({ told }) => [told['FRESHET_FLOW'], told['FRESHET_FILTERED_INDEX']])).toEqual(
      Array.from({ length: 2 }, () => ['filtered-index', `${local.aliases.image}-alone-filtered`]),
    );
  });

  it('that refuse the promotion of a held run leave it held', async () => {
    await configure({ before: [note()] });
    await local.writeFile('no', '');
    const held = await json(['refresh', 'local', 'image', '--hold']);
    expect(toldBy(held).run.state).toBe('held');
    expect(await noted()).toEqual([]);
    const refused = await json(['promote', toldBy(held).run.id]);
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run).toMatchObject({ state: 'held', error: { code: 'HOOK_REFUSED' } });
    await local.writeFile('note.mjs', noteScript.replace(`existsSync('no')`, 'false'));
    expect((await json(['promote', toldBy(held).run.id])).status).toBe(0);
  });

  it('that are not there, or whose URL is not set or none, are found before anything is copied', async () => {
    const cases: [unknown, string][] = [
      [{ command: ['no-such-program'] }, 'promotion.after.0.command: there is no program no-such-program'],
      [
        { url: { env: 'TEST_UNSET' } },
        'promotion.after.0.url: the environment variable TEST_UNSET is not set',
      ],
      [webhook, 'promotion.after.0.url: the value that it refers to is not an http or https URL'],
    ];
    for (const [hook, message] of cases) {
      await configure({ after: [hook] });
      const refused = await refresh({ TEST_HOOK: 'sesame' });
      expect(refused.status).toBe(64);
      expect(toldBy(refused).run.error?.message).toContain(message);
      expect(phase(toldBy(refused), 'copy')?.state).toBe('pending');
      expect(refused.stdout + refused.stderr).not.toContain('sesame');
    }
  });

  it('I9: no URL of a webhook and no password is in state, output or events, whatever a hook prints and however it fails', async () => {
    await local.writeFile(
      'print.mjs',
      `console.log(JSON.stringify(process.env).slice(-20000)); console.log(decodeURIComponent(process.env.TEST_HOOK)); process.exit(Number(process.argv[2]));`,
    );
    const print = (status: string) => ({ command: [process.execPath, 'print.mjs', status] });
    const env = { TEST_HOOK: `http://user:sesame%20one@${address()}/sesametwo/x?sesamethree` };
    const seen: string[] = [];
    const look = async (outcome: CommandOutcome): Promise<void> => {
      seen.push(outcome.stdout + outcome.stderr);
      await local.withState(async (session) => {
        const { rows: tables } = await session.query<{ name: string }>(
          `select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace::regnamespace::text in ('freshet', 'dbos')`,
        );
        for (const { name } of tables) {
          const { rows } = await session.query<{ text: string }>(`select t::text as text from ${name} t`);
          seen.push(...rows.map(({ text }) => text));
        }
      });
    };
    await configure({ before: [print('0'), webhook], after: [webhook, print('1')] });
    answer = { status: 200, text: env.TEST_HOOK };
    const first = await refresh(env);
    expect(first.status).toBe(0);
    expect(first.stdout).toContain('***');
    await look(first);
    answer = { status: 500, text: env.TEST_HOOK };
    const refused = await refresh(env);
    expect(refused.status).toBe(2);
    await look(refused);
    const retry = () => local.run(['retry', toldBy(refused).run.id], env);
    await configure({ before: [print('1'), webhook] });
    await look(await retry());
    server.close();
    server.closeAllConnections();
    await configure({ before: [webhook] });
    await look(await retry());
    await look(await local.run(['status'], env));
    await look(await json(['config'], env));
    const password = new URL(local.api.url).password;
    expect(password.length).toBeGreaterThan(5);
    for (const secret of ['sesame', password]) expect(seen.join('\n')).not.toContain(secret);
  }, 240_000);
});
