import { Command } from 'commander';
import { findDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import { exitStatus } from '../errors.js';
import { verifyShownDefault } from '../limits.js';
import { compareLive, type CompareProgress, type CompareReport } from '../refresh/compareLive/compareLive.js';
import { expectedDifferences, faults, isFault, type FindingGroup } from '../refresh/compareLive/findings.js';
import type { Phase } from '../state/phases.js';
import { colors } from './colors.js';
import { FindingsFile } from './findingsFile.js';
import { configOption, jsonOption, parseShown } from './options.js';
import { formatCount, writeJson, writeLine, writeNote } from './output.js';
import { createProgressView, type ProgressView } from './progressView.js';
import { openServices } from './services.js';

interface VerifyOptions {
  readonly limit?: number;
  readonly output?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet verify`: compares everything that is live with the catalog. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'compare the catalog with the live tables, and these with the live indexes: every row, every document, both ways',
    )
    .argument('<definition...>', '`local_image_data_refresh`, or `local image` (`freshet config` lists all)')
    .option(
      '--limit <keys>',
      `keys that are shown of each kind of difference (default: ${verifyShownDefault})`,
      parseShown,
    )
    .option(
      '--output <file>',
      'write every difference to a file: CSV where its name ends with .csv, else one JSON object a line',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ freshet verify production image
  $ freshet verify production audio --limit 100 --output differences.csv
  $ freshet verify local image --json

What the catalog holds, filtered and changed as a refresh does it, is compared with the live tables by key and content; their rows with the documents of
the live index and of the filtered one. What changed in the catalog since the live generation was copied, and what the API deleted or marked since, is
listed apart and is no difference. Reads only, takes no lease, and runs beside a refresh; a promotion in between makes it begin anew.
Exit status: 0 equal, 4 something differs, 1 failed, 64 bad usage or configuration, 130 interrupted.`,
    )
    .action(verify);
}

async function verify(words: string[], options: VerifyOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findDefinition(config, words);
  const file = options.output === undefined ? null : await FindingsFile.create(options.output);
  const services = await openServices({
    configFile: options.config,
    environment: definition.environment.name,
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const view = createProgressView(options.json === true);
  const parts = new Parts(view);
  try {
    const report = await compareLive(services, definition, {
      keptMax: options.limit ?? verifyShownDefault,
      onFinding: (finding) => file?.add(finding),
      onProgress: (progress) => parts.update(progress),
      onNote: (line) => {
        parts.restart();
        view.line(`${colors.yellow('!')} ${line}`);
      },
      signal: interrupted.signal,
    });
    parts.end();
    view.end();
    if (options.json === true) writeJson(toJson(report));
    else writeLine(describeReport(report, options).join('\n'));
    if (!report.equal) process.exitCode = exitStatus.differs;
  } catch (error) {
    view.end();
    if (!interrupted.signal.aborted) throw error;
    writeNote(`${colors.yellow('interrupted')}: nothing was changed, and nothing is left of it.`);
    process.exitCode = exitStatus.interrupted;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await file?.close();
    await services.close();
  }
}

/** The parts of a comparison as a run's phases, which the view shows. */
class Parts {
  #phases: Phase[] = [];

  constructor(private readonly view: ProgressView) {}

  update({ part: name, done, total, unit }: CompareProgress): void {
    if (this.#phases.at(-1)?.name !== name) {
      this.#finish();
      this.#phases.push({
        name,
        ordinal: this.#phases.length,
        state: 'running',
        startedAt: new Date(),
        finishedAt: null,
        progressDone: 0,
        progressTotal: null,
        unit: null,
        result: null,
      });
    }
    const last = this.#phases.pop();
    if (last !== undefined) this.#phases.push({ ...last, progressDone: done, progressTotal: total, unit });
    this.view.update(this.#phases);
  }

  end(): void {
    this.#finish();
    this.view.update(this.#phases);
  }

  /** What was done does not count: the parts come again. */
  restart(): void {
    this.end();
    this.#phases = [];
  }

  #finish(): void {
    const last = this.#phases.pop();
    if (last !== undefined) this.#phases.push({ ...last, state: 'done', finishedAt: new Date() });
  }
}

function toJson({ groups, ...report }: CompareReport): object {
  const listed = (kinds: readonly FindingGroup[]): object[] =>
    kinds.map(({ kind, count, first }) => ({ kind, meaning: meaningOf(kind), count, first }));
  return {
    ...report,
    faults: listed(groups.filter(({ kind }) => isFault(kind))),
    expected: listed(groups.filter(({ kind }) => !isFault(kind))),
  };
}

function meaningOf(kind: FindingGroup['kind']): string {
  return isFault(kind) ? faults[kind] : expectedDifferences[kind];
}

function describeReport(report: CompareReport, { output }: VerifyOptions): string[] {
  const found = report.groups.filter(({ kind }) => isFault(kind));
  const expected = report.groups.filter(({ kind }) => !isFault(kind));
  const sum = found.reduce((total, { count }) => total + count, 0);
  const verdict = report.equal
    ? `${colors.green('equal')}: ${report.definition} is what the catalog gives`
    : `${colors.red('differs')}: ${formatCount(sum)} differences in ${report.definition}`;
  return [
    ...report.tables.map(describeTable),
    `  ${colors.bold(report.index)}${report.filteredIndex === null ? colors.yellow(', and no filtered index is live') : ` and ${colors.bold(report.filteredIndex)}`}`,
    ...found.flatMap((group) => describeGroup(group, colors.red('✗'))),
    ...(expected.length === 0 ? [] : ['since the snapshot, no fault of what is live:']),
    ...expected.flatMap((group) => describeGroup(group, colors.dim('-'))),
    ...(output === undefined || report.groups.length === 0 ? [] : [`all of them: ${output}`]),
    verdict,
  ];
}

function describeTable({
  table,
  upstream,
  run,
  snapshotAt,
  recordLimit,
  catalogRows,
  liveRows,
}: CompareReport['tables'][number]): string {
  const limit = recordLimit === null ? '' : `, of which at most ${formatCount(recordLimit)} are copied`;
  const since =
    snapshotAt === null
      ? 'no run of freshet is known to have copied it: every change of the catalog counts'
      : `copied at ${snapshotAt} by run ${run ?? '?'}`;
  return `  ${colors.bold(table)}: ${formatCount(liveRows)} rows, ${upstream} in the catalog: ${formatCount(catalogRows)}${limit}; ${since}`;
}

function describeGroup({ kind, count, first }: FindingGroup, mark: string): string[] {
  const more = count - first.length;
  return [
    `${mark} ${formatCount(count)} ${meaningOf(kind)} ${colors.dim(`(${kind})`)}`,
    ...first.map(({ place, key, id, columns }) => {
      const row = id === null || id === key ? '' : ` (id ${id})`;
      return `    ${place} ${key}${row}${columns.length === 0 ? '' : `: ${columns.join(', ')}`}`;
    }),
    ...(more > 0 && first.length > 0 ? [colors.dim(`    and ${formatCount(more)} more`)] : []),
  ];
}
