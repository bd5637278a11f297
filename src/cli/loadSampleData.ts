import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { exitStatus, FreshetError } from '../errors.js';
import { sampleRecordsDefault, sampleRecordsMax, sampleSeed } from '../limits.js';
import { endOnInterrupt } from './followRun.js';
import { statusOfRun, writeLine, writeNote } from './output.js';
import { logLine } from './runAndReport.js';
import { loadSample, refreshBoth } from './sampleRuns.js';
import { summarise, writeSummary } from './sampleSummary.js';
import { openServices } from './services.js';

interface LoadSampleOptions {
  readonly environment: string;
  readonly records: number;
  readonly seed: number;
  readonly image?: string;
  readonly audio?: string;
  readonly config?: string;
  readonly json: boolean;
}

/** `freshet load-sample-data`: fills a local catalog and runs both refreshes. */
export function loadSampleDataCommand(): Command {
  return new Command('load-sample-data')
    .description('fill a local catalog with sample records and run both refreshes')
    .option('--records <count>', 'generated records of each media type', parseRecords, sampleRecordsDefault)
    .option('--seed <number>', 'the same seed gives the same records', parseSeed, sampleSeed)
    .option(
      '--image <file.csv>',
      'image records from a CSV file in catalog column order, instead of generated ones',
    )
    .option('--audio <file.csv>', 'audio records likewise')
    .option('--environment <name>', 'only `local` is possible', 'local')
    .option('--config <file>', 'configuration file')
    .option('--json', 'one JSON object on stdout', false)
    .action(loadSampleData);
}

/** A whole number of records. */
export function parseRecords(text: string): number {
  const records = Number(text.replaceAll(/[,_]/g, ''));
  if (Number.isInteger(records) && records >= 1 && records <= sampleRecordsMax) return records;
  throw new InvalidArgumentError(`a whole number from 1 to ${sampleRecordsMax}.`);
}

function parseSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number of at most nine digits.');
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
    report: (line) => writeNote(pc.dim(line)),
    log: logLine,
  });
  endOnInterrupt(services, 'freshet load-sample-data');
  try {
    const csv = {
      ...(options.image === undefined ? {} : { image: options.image }),
      ...(options.audio === undefined ? {} : { audio: options.audio }),
    };
    const loaded = await loadSample(services, { ...options, csv });
    const runs = await refreshBoth(services, options.json);
    const refreshes = await summarise(services, runs);
    if (options.json) writeLine(JSON.stringify({ loaded, refreshes }));
    else writeSummary(refreshes);
    process.exitCode = Math.max(exitStatus.done, ...runs.map(statusOfRun));
  } finally {
    await services.close();
  }
}
