import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { colors } from './colors.js';
import { exitStatus } from '../errors.js';
import { sampleRecordsDefault, sampleSeed } from '../limits.js';
import { stayUntilStopped } from './followRun.js';
import { endOnInterrupt } from './interrupts.js';
import { addExamples, parseRecords } from './options.js';
import { statusOfRun, writeLine } from './output.js';
import { describeParts } from './parts.js';
import { logLine } from './runAndReport.js';
import { finishInterrupted, loadSample, refreshBoth } from './sampleRuns.js';
import { summarise, writeExampleSearches, writeSummary } from './sampleSummary.js';
import { openServices, type CommandServices } from './services.js';

interface DemoOptions {
  readonly records: number;
  readonly exit?: boolean;
  readonly folder?: string;
}

/** `freshet demo`: real parts, sample data, both refreshes, and how to look around. */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description(
      'start real databases and a search engine here, fill them with sample data, run both refreshes',
    )
    .option('--records <count>', 'records of each media type', parseRecords, sampleRecordsDefault)
    .option('--exit', 'end when the refreshes are over, instead of staying up to be looked at')
    .option('--folder <folder>', 'keep the data there (default: a temporary folder, removed at the end)')
    .action(runDemo);
  return addExamples(command, 'freshet demo', 'freshet demo --records 100,000 --exit');
}

async function runDemo(options: DemoOptions): Promise<void> {
  const terms = await writeDemoTerms();
  writeLine(colors.bold('1. Real parts: two Postgres servers and a search engine'));
  const services = await openServices({
    configFile: undefined,
    environment: 'local',
    embeddedFolder: options.folder ?? null,
    env: { FRESHET_SENSITIVE_TERMS: terms.file, ...process.env },
    report: (line) => writeLine(`${colors.green('✓')} ${line}`),
    log: logLine,
  });
  const { disarm } = endOnInterrupt(services, { whatNow: 'Begin again with: freshet demo' });
  let failed = true;
  try {
    await finishInterrupted(services, false);
    writeLine(`\n${colors.bold('2. Sample data in the catalog')}`);
    await loadSample(services, { records: options.records, seed: sampleSeed, csv: {}, json: false });
    writeLine(`\n${colors.bold('3. Two data refreshes')}`);
    const runs = await refreshBoth(services, false);
    writeSummary(await summarise(services, runs));
    await writeExampleSearches(services, ['mountain', 'lighthouse']);
    process.exitCode = Math.max(exitStatus.done, ...runs.map(statusOfRun));
    failed = process.exitCode !== exitStatus.done;
  } finally {
    await terms.remove();
    if (options.exit === true || failed) await services.close();
  }
  if (options.exit === true || failed) return;
  disarm();
  writeLookAround(services);
  stayUntilStopped(() => services.close());
}

/** Harmless words that the generated titles have, so that the filtered indexes have something to hide. */
const demoTerms = ['lighthouse', 'Frozen Mountain', 'teapot'];

async function writeDemoTerms(): Promise<{ file: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-demo-'));
  const file = join(folder, 'terms.txt');
  await writeFile(file, `${demoTerms.join('\n')}\n`);
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** How to look around while the parts stay up. */
function writeLookAround({ embedded }: CommandServices): void {
  if (embedded === null) return writeLine('\nThe parts that you configured stay as they are.');
  const search = embedded.searchUrl ?? '';
  writeLine(`
${colors.bold('4. Look around')} ${colors.dim('(until Ctrl-C)')}
${colors.dim('# in another terminal')}
${describeParts(embedded)}

psql "$FRESHET_API_URL" -c 'select count(*) from image'
curl '${search}/_cat/indices/image*,audio*?v'
curl '${search}/image/_search?q=title:mountain&size=3&pretty'
npx freshet refresh local image      ${colors.dim('# again: ids stay, one generation back is kept')}
npx freshet status`);
}
