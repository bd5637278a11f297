/**
 * A rollback of generated image rows on real parts after two refreshes, and one forward again: once with nothing to take down, once with so many records
 * that were deleted and marked since. One JSON line, with the seconds of each phase.
 *
 *   npm run bench:rollback -- 1000000 1000
 */
import { cpus, totalmem } from 'node:os';
import { startParts, type EmbeddedParts } from '../src/embedded/parts.js';
import { withSession } from '../src/postgres/session.js';
import { startCommand } from './setup/command.js';
import { createApiTables, createCatalogTables, fillCatalog } from '../src/sample/index.js';

const seed = 42;

interface Measured {
  readonly seconds: number;
  readonly phases: Readonly<Record<string, number>>;
  readonly lockHeldMs: unknown;
  readonly rowsDeleted: unknown;
  readonly documentsUpdated: unknown;
}

async function run(parts: EmbeddedParts, args: readonly string[]): Promise<Measured> {
  const output = await startCommand(parts, args).ended();
  const { run: ended, phases } = JSON.parse(output) as {
    run: { startedAt: string; finishedAt: string };
    phases: { name: string; durationMs: number; result: Record<string, unknown> | null }[];
  };
  const resultOf = (name: string) => phases.find((phase) => phase.name === name)?.result ?? {};
  return {
    seconds: (Date.parse(ended.finishedAt) - Date.parse(ended.startedAt)) / 1000,
    phases: Object.fromEntries(phases.map((phase) => [phase.name, phase.durationMs / 1000])),
    lockHeldMs: resultOf('promote')['lockHeldMs'],
    rowsDeleted: resultOf('reconcile')['rowsDeleted'],
    documentsUpdated: resultOf('reconcile')['documentsUpdated'],
  };
}

/** What the API's moderators do: as many deletions, with their rows, as marks. */
function takeDown(count: number): string {
  return `insert into public.api_deletedimage (identifier, created_on, updated_on)
      select identifier, now(), now() from public.image order by identifier limit ${count};
    delete from public.image i using public.api_deletedimage d where d.identifier = i.identifier;
    insert into public.api_matureimage (identifier, created_on)
      select identifier, now() from public.image order by identifier limit ${count}`;
}

const [rows = 1_000_000, takenDown = 1_000] = process.argv.slice(2).map(Number);
const parts = await startParts({ folder: null, searchHeapMb: 1024 });
try {
  const session = { applicationName: 'freshet bench', called: 'database' };
  await withSession(parts.catalogUrl, session, createCatalogTables);
  await withSession(parts.apiUrl, session, createApiTables);
  await fillCatalog({ catalogUrl: parts.catalogUrl, media: 'image', records: rows, seed });
  const refresh = ['refresh', 'local', 'image', '--record-limit', 'none'];
  await run(parts, refresh);
  await run(parts, refresh);
  const rollback = ['rollback', 'local', 'image'];
  const back = await run(parts, rollback);
  await withSession(parts.apiUrl, session, (api) => api.query(takeDown(takenDown)));
  const withTakeDowns = await run(parts, rollback);
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  console.log(JSON.stringify({ bench: 'rollback', seed, rows, takenDown, back, withTakeDowns, machine }));
} finally {
  await parts.stop();
}
