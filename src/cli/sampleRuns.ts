import cliProgress from 'cli-progress';
import { colors } from './colors.js';
import prettyMs from 'pretty-ms';
import { findDefinition } from '../config/definitions.js';
import { withSession } from '../postgres/session.js';
import {
  assertOnlySampleRecords,
  checkCsvHeader,
  createApiTables,
  createCatalogTables,
  fillCatalog,
  loadCatalogCsv,
  sampleMedia,
  type LoadedSample,
  type SampleMedia,
} from '../sample/index.js';
import { startRefresh } from '../refresh/startRun.js';
import { listUnfinishedRuns, type Run } from '../state/runs.js';
import { followRun, LocalOrchestrator } from './followRun.js';
import { describeFailure, formatCount, writeLine, writeNote } from './output.js';
import type { CommandServices } from './services.js';

/** Where the records of each media type come from. */
export interface SampleRequest {
  readonly records: number;
  readonly seed: number;
  /** CSV files in catalog column order; a media type without one gets generated records. */
  readonly csv: Readonly<Partial<Record<SampleMedia, string>>>;
  readonly json: boolean;
}

export interface LoadedMedia {
  readonly media: SampleMedia;
  readonly loaded: LoadedSample;
  readonly seconds: number;
}

/** Creates the tables where they are missing and fills the catalog with sample records. */
export async function loadSample(services: CommandServices, request: SampleRequest): Promise<LoadedMedia[]> {
  const { catalogUrl, apiUrl } = await services.resolve('local');
  await withSession(catalogUrl, { applicationName: 'freshet sample', called: 'catalog' }, async (session) => {
    await assertOnlySampleRecords(session);
    await createCatalogTables(session);
  });
  await withSession(apiUrl, { applicationName: 'freshet sample', called: 'API database' }, createApiTables);
  // Files first: one that is refused is refused before anything was loaded.
  const files = Object.entries(request.csv) as [SampleMedia, string][];
  for (const [media, file] of files) await checkCsvHeader({ catalogUrl, media, file });
  const fromFile = new Map<SampleMedia, LoadedMedia>();
  for (const [media] of files) fromFile.set(media, await loadMedia(catalogUrl, media, request));
  const all: LoadedMedia[] = [];
  for (const media of sampleMedia) {
    all.push(fromFile.get(media) ?? (await loadMedia(catalogUrl, media, request)));
  }
  return all;
}

async function loadMedia(
  catalogUrl: string,
  media: SampleMedia,
  request: SampleRequest,
): Promise<LoadedMedia> {
  const began = performance.now();
  const file = request.csv[media];
  const loaded =
    file === undefined
      ? await generate(catalogUrl, media, request)
      : await loadCatalogCsv({ catalogUrl, media, file });
  const ms = performance.now() - began;
  const from = file === undefined ? `generated (seed ${request.seed})` : `from ${file}`;
  if (!request.json) {
    writeLine(
      `${colors.green('✓')} ${formatCount(loaded.rows)} ${media} records ${from} in ${prettyMs(ms)} ${colors.dim(`${formatCount((loaded.rows / ms) * 1000)}/s`)}`,
    );
  }
  return { media, loaded, seconds: ms / 1000 };
}

async function generate(
  catalogUrl: string,
  media: SampleMedia,
  { records, seed }: SampleRequest,
): Promise<LoadedSample> {
  const bar = new cliProgress.SingleBar({
    format: `${colors.cyan('▸')} ${media} records {bar} {percentage}%  {value} of {total}`,
    noTTYOutput: false,
    clearOnComplete: true,
    hideCursor: true,
  });
  bar.start(records, 0);
  try {
    return await fillCatalog({
      catalogUrl,
      media,
      records,
      seed,
      onProgress: ({ rows }) => bar.update(rows),
    });
  } finally {
    bar.stop();
  }
}

/** Lets runs end that an interrupted command left: both refreshes are to take the records that are loaded next. */
export async function finishInterrupted(services: CommandServices, json: boolean): Promise<void> {
  const unfinished = await listUnfinishedRuns(services.state, 'local');
  if (unfinished.length === 0) return;
  const orchestrator = new LocalOrchestrator(services, 'local');
  for (const { id, definition } of unfinished) {
    writeNote(`${colors.yellow('resuming')}: ${definition} (run ${id}) was not over.`);
    await followRun(services, orchestrator, id, json);
  }
  await orchestrator.finish();
}

/** Runs both refreshes, one after the other as the environment's lease has it, and waits for them. */
export async function refreshBoth(services: CommandServices, json: boolean): Promise<Run[]> {
  const orchestrator = new LocalOrchestrator(services, 'local');
  const started: { id: string; name: string }[] = [];
  for (const media of sampleMedia) {
    const definition = findDefinition(services.config, ['local', media]);
    const id = await startRefresh(services, definition, { recordLimit: null });
    started.push({ id, name: definition.id });
  }
  const runs: Run[] = [];
  for (const { id, name } of started) {
    if (!json) writeLine(`\n${colors.bold(name)} ${colors.dim(`run ${id}`)}`);
    const run = await followRun(services, orchestrator, id, json);
    if (run.state !== 'succeeded') writeNote(describeFailure(run));
    runs.push(run);
  }
  await orchestrator.finish();
  return runs;
}
