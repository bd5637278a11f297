import { Command } from 'commander';
import { colors } from './colors.js';
import { FreshetError } from '../errors.js';
import { planRelease, release, type ReleasePlan } from '../refresh/release.js';
import { askYesNo } from './askYesNo.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { openServices } from './services.js';

interface ReleaseOptions {
  readonly yes?: boolean;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet release`: states that the state database is gone for good which knew the runs that hold an environment. */
export function releaseCommand(): Command {
  const command = new Command('release')
    .description(
      'free an environment from runs of another state database that is gone for good, so that what they left may be removed',
    )
    .argument('<environment>', 'environment')
    .option('--yes', 'do not ask; needed where nobody can answer')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(releaseEnvironment);
  return addExamples(command, 'freshet release production', 'freshet release staging --yes');
}

async function releaseEnvironment(environment: string, options: ReleaseOptions): Promise<void> {
  const services = await openServices({
    configFile: options.config,
    environment,
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  try {
    const plan = await planRelease(services, environment);
    const isNothing = plan.holders.length === 0 && plan.runs.length === 0;
    if (!options.json) printPlan(environment, plan);
    const released = !isNothing && (plan.signs.length > 0 || (await isConfirmed(options)));
    // With signs of life: refused, which says so better than an answer to a question.
    if (released) await release(services, environment, plan);
    if (options.json) writeJson({ environment, released, ...plan });
    else if (released)
      writeLine(
        `${colors.green('released')}. The orchestrator removes what those runs left within minutes; at once: freshet clean ${environment}`,
      );
  } finally {
    await services.close();
  }
}

function printPlan(environment: string, { holders, runs }: ReleasePlan): void {
  if (holders.length + runs.length === 0)
    return writeLine(`${environment} holds nothing of another state database.`);
  for (const { runId, media, host, heldSince } of holders)
    writeLine(
      `The hold of run ${runId} (${media}, ${host}, since ${heldSince.toISOString()}) on the API database goes.`,
    );
  for (const { id, media, left, wasPromoted } of runs) {
    const what = left.length === 0 ? '' : `: ${left.join(', ')}`;
    const fate = wasPromoted ? 'what is live or previous of it stays, the rest is removed' : 'removed';
    writeLine(`Run ${id} (${media}) counts as over, ${fate}${what}.`);
  }
}

async function isConfirmed({ yes, json }: ReleaseOptions): Promise<boolean> {
  if (yes === true) return true;
  if (json === true || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new FreshetError(
      'USAGE',
      'Nobody can be asked here: add --yes if the other state database is gone for good.',
    );
  return askYesNo('Is the state database that knew these runs gone for good?');
}
