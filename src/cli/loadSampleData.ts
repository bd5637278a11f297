import { Command, InvalidArgumentError } from 'commander';
import { colors } from './colors.js';
import { exitStatus, FreshetError } from '../errors.js';
import { sampleRecordsDefault, sampleSeed } from '../limits.js';
import { endOnInterrupt } from './interrupts.js';
import { addExamples, configOption, jsonOption, parseRecords } from './options.js';
import { statusOfRun, writeJson, writeNote } from './output.js';
import { logLine } from './runAndReport.js';
import { finishInterrupted, loadSample, refreshBoth } from './sampleRuns.js';
import { summarise, writeSummary } from './sampleSummary.js';
import { openServices } from './services.js';

interface LoadSampleOptions {
  readonly environment: string;
  readonly records: number;
  readonly seed: number;
  readonly image?: string;
  readonly audio?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet load-sample-data`: fills a local catalog and runs both refreshes. */
export function loadSampleDataCommand(): Command {
  const command = new Command('load-sample-data')
    .description('fill a local catalog with sample records and run both refreshes')
    .option('--records <count>', 'generated records of each media type', parseRecords, sampleRecordsDefault)
    .option('--seed <number>', 'the same seed gives the same records', parseSeed, sampleSeed)
    .option(
      '--image <file.csv>',
      'image records from a CSV file in catalog column order, instead of generated ones',
    )
    .option('--audio <file.csv>', 'audio records likewise')
    .option('--environment <name>', 'only `local` is possible', 'local')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(loadSampleData);
  return addExamples(
    command,
    'freshet load-sample-data --records 100,000',
    'freshet load-sample-data --image catalog_image.csv',
  );
}

function parseSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of at most nine digits.');
}

async function loadSampleData(options: LoadSampleOptions): Promise<void> {
  if (options.environment !== 'local') {
    throw new FreshetError(
      'SAMPLE_REFUSED',
      `Sample data is for local only, not for ${options.environment}.`,
    );
  }
  const services = await openServices({
    configFile: options.config,
    environment: 'local',
    report: (line) => writeNote(colors.dim(line)),
    log: logLine,
  });
  endOnInterrupt(services, { whatNow: 'Runs that were begun go on with: freshet load-sample-data' });
  try {
    const csv = {
      ...(options.image === undefined ? {} : { image: options.image }),
      ...(options.audio === undefined ? {} : { audio: options.audio }),
    };
    const json = options.json === true;
    await finishInterrupted(services, json);
    const loaded = await loadSample(services, { ...options, csv, json });
    const runs = await refreshBoth(services, json);
    const refreshes = await summarise(services, runs);
    if (json) writeJson({ loaded, refreshes });
    else writeSummary(refreshes);
    process.exitCode = Math.max(exitStatus.done, ...runs.map(statusOfRun));
  } finally {
    await services.close();
  }
}
