import { expect, inject, it } from 'vitest';
import { listAllEvents, pruneEvents, recordEvent } from '../../../src/state/records.js';
import { openState } from '../../../src/state/state.js';
import { createDatabase } from '../../setup/databases.js';

it('events of no run are forgotten after a while, those of runs are kept', async () => {
  const database = await createDatabase(inject('parts').apiUrl);
  const state = await openState(database.url);
  try {
    await state.pool.query(
      `insert into freshet.runs (id, definition, environment, media, flow, parameters, state, version)
       values ('run-1', 'd', 'local', 'image', 'refresh', '{}', 'queued', '1')`,
    );
    for (const runId of ['run-1', null])
      for (const message of ['old', 'new'])
        await recordEvent(state, { runId, level: 'info', kind: 'k', message });
    await state.pool.query(`update freshet.events set at = now() - interval '91 days' where message = 'old'`);
    await pruneEvents(state, 90);
    expect((await listAllEvents(state, 0)).map(({ runId, message }) => [runId, message])).toEqual([
      ['run-1', 'old'],
      ['run-1', 'new'],
      [null, 'new'],
    ]);
  } finally {
    await state.close();
    await database.drop();
  }
});
