import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../src/sample/index.js';
import { LocalEnvironment } from '../setup/localEnvironment.js';
import { changeCatalog, expectCatalogIsLive, readLiveRecords } from './setup/expectations.js';
import { isLongForm } from './setup/longForm.js';
import { HeldCommand } from './setup/heldRun.js';

/** What a server says that cannot extend a file, said by it for every write to our tables. */
const noRoom = `
  create function public.no_room() returns trigger language plpgsql as $$
    begin raise exception using errcode = '53100', message = 'could not extend file "base/5/1": No space left on device'; end $$;`;
const fill = `${noRoom}
  do $$ declare t regclass; begin
    for t in select oid from pg_class where relnamespace = 'freshet'::regnamespace and relkind = 'r' loop
      execute format('create trigger no_room before insert or update or delete on %s execute function public.no_room()', t);
    end loop;
  end $$`;
const makeRoom = 'drop function public.no_room() cascade';

describe('a state database without room', () => {
  let local: LocalEnvironment;
  let round = 0;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
  });
  afterAll(async () => {
    await local.endCommands();
    await local.drop();
  });

  /** With room again the next command goes on with the run. */
  const expectGoneOnWith = async (): Promise<void> => {
    const again = await local.run(['refresh', 'local', 'image']);
    expect(again.stderr).toContain('resuming');
    expect(again.status, again.stderr).toBe(0);
    await expectCatalogIsLive(local);
  };

  it.each(['worker.begun', 'promote.before', ...(isLongForm ? ['copy.rows', 'filtered-index.copied'] : [])])(
    'ends the process that executes a run, with everything live as it was; with room again the run goes on (%s)',
    async (point) => {
      await changeCatalog(local, (round += 1));
      const before = await readLiveRecords(local);
      const command = await HeldCommand.start(local, ['refresh', 'local', 'image'], [point]);
      await command.reach(point);
      await local.withState((session) => session.query(fill));
      try {
        await command.release(point);
        const { status, stderr } = await command.ended;
        expect(status).toBe(1);
        expect(stderr).toMatch(/not the orchestrator any more \(.*No space left on device\)/);
        expect(await readLiveRecords(local)).toEqual(before);
      } finally {
        await local.withState((session) => session.query(makeRoom));
      }
      await expectGoneOnWith();
    },
  );

  it('an engine that finds no room while it starts is not left behind: the command ends, and the next one goes on with the run', async () => {
    await changeCatalog(local, (round += 1));
    const point = 'orchestrator.launched';
    const command = await HeldCommand.start(local, ['refresh', 'local', 'image'], [point]);
    await command.reach(point);
    await local.withState((session) =>
      session.query(
        `${noRoom} create trigger no_room before insert or update on dbos.queues execute function public.no_room()`,
      ),
    );
    try {
      await command.release(point);
      const { status, stderr } = await command.ended;
      expect(status).toBe(1);
      expect(stderr).toContain('No space left on device');
    } finally {
      await local.withState((session) => session.query(makeRoom));
    }
    await expectGoneOnWith();
  });

  it('a process that finds no room, and is killed before it has given up its role, leaves the run to the next one', async () => {
    await changeCatalog(local, (round += 1));
    const before = await readLiveRecords(local);
    const command = await HeldCommand.start(
      local,
      ['refresh', 'local', 'image'],
      ['promote.before', 'state.failed'],
    );
    await command.reach('promote.before');
    await local.withState((session) => session.query(fill));
    try {
      await command.release('promote.before');
      await command.reach('state.failed');
      command.child.kill('SIGKILL');
      expect((await command.ended).signal).toBe('SIGKILL');
      expect(await readLiveRecords(local)).toEqual(before);
    } finally {
      await local.withState((session) => session.query(makeRoom));
    }
    await expectGoneOnWith();
  });
});
