import Table from 'cli-table3';
import { colors } from './colors.js';
import { findDefinition } from '../config/definitions.js';
import { openSearchClient, type SearchClient } from '../search/client.js';
import { countDocuments } from '../search/counts.js';
import { searchTitles, type TitleHits } from '../search/exampleSearch.js';
import { listPhases } from '../state/phases.js';
import { listChecks } from '../state/records.js';
import { sumSlices } from '../state/slices.js';
import type { Run } from '../state/runs.js';
import { formatCount, plainTable, writeLine } from './output.js';
import { durationMs } from './progressView.js';
import type { CommandServices } from './services.js';

/** What a refresh of sample data came to. */
export interface RefreshSummary {
  readonly media: string;
  readonly state: Run['state'];
  readonly rows: number;
  readonly documents: number;
  readonly filteredDocuments: number;
  readonly hidden: number;
  readonly checks: number;
  readonly seconds: number;
  readonly copyRowsPerSecond: number;
  readonly indexRowsPerSecond: number;
}

/** Reads what happened from the state and counts what the aliases answer now. */
export async function summarise(services: CommandServices, runs: readonly Run[]): Promise<RefreshSummary[]> {
  const search = openSearchClient((await services.resolve('local')).searchUrls);
  try {
    return await Promise.all(runs.map((run) => summariseRun(services, search, run)));
  } finally {
    await search.close();
  }
}

async function summariseRun(
  services: CommandServices,
  search: SearchClient,
  run: Run,
): Promise<RefreshSummary> {
  const { index } = findDefinition(services.config, ['local', run.media]).media;
  const phases = await listPhases(services.state, run.id);
  const totals = await sumSlices(services.state, run.id);
  const documents = await countDocuments(search, index.alias);
  const filteredDocuments = await countDocuments(search, index.filteredAlias);
  const rate = (name: string): number => {
    const phase = phases.find((one) => one.name === name);
    return phase === undefined ? 0 : (phase.progressDone / Math.max(1, durationMs(phase))) * 1000;
  };
  return {
    media: run.media,
    state: run.state,
    rows: totals.read,
    documents,
    filteredDocuments,
    hidden: documents - filteredDocuments,
    checks: (await listChecks(services.state, run.id)).filter((check) => check.passed).length,
    seconds: ((run.finishedAt?.getTime() ?? 0) - (run.startedAt?.getTime() ?? 0)) / 1000,
    copyRowsPerSecond: Math.round(rate('copy')),
    indexRowsPerSecond: Math.round(rate('reindex')),
  };
}

export function writeSummary(summaries: readonly RefreshSummary[]): void {
  const table = new Table({
    head: [
      '',
      'state',
      'rows',
      'documents',
      'filtered',
      'hidden',
      'checks',
      'seconds',
      'copied/s',
      'indexed/s',
    ],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    ...plainTable,
  });
  for (const one of summaries) {
    table.push([
      one.media,
      one.state === 'succeeded' ? colors.green(one.state) : colors.red(one.state),
      ...[one.rows, one.documents, one.filteredDocuments, one.hidden, one.checks].map(formatCount),
      one.seconds.toFixed(1),
      ...[one.copyRowsPerSecond, one.indexRowsPerSecond].map(formatCount),
    ]);
  }
  writeLine(`\n${table.toString()}`);
}

/** Example searches through the aliases, as a reader of the API would do them. */
export async function writeExampleSearches(
  services: CommandServices,
  words: readonly string[],
): Promise<void> {
  const search = openSearchClient((await services.resolve('local')).searchUrls);
  try {
    for (const media of Object.keys(services.config.environments['local']?.media ?? {})) {
      const { alias, filteredAlias } = findDefinition(services.config, ['local', media]).media.index;
      for (const word of words) {
        for (const name of [alias, filteredAlias])
          writeHits(name, word, await searchTitles(search, name, word));
      }
    }
  } finally {
    await search.close();
  }
}

function writeHits(alias: string, word: string, { total, titles }: TitleHits): void {
  const list = titles.map((title) => JSON.stringify(title)).join(', ');
  writeLine(
    `${colors.dim('search')} ${alias.padEnd(15)} ${colors.bold(word.padEnd(10))} ${formatCount(total).padStart(6)} hits  ${colors.dim(list)}`,
  );
}
