import cliProgress from 'cli-progress';
import { colors } from './colors.js';
import prettyMs from 'pretty-ms';
import type { Phase } from '../state/phases.js';
import type { RunEvent } from '../state/records.js';
import { formatCount } from './output.js';

/** Shows how far a run is. */
export interface ProgressView {
  /** Something to keep on the screen. */
  line(text: string): void;
  /** The phases as they are now. */
  update(phases: readonly Phase[]): void;
  end(): void;
}

/** Live bars on a terminal, plain lines elsewhere; `json` leaves stdout to the result and writes the lines to stderr. */
export function createProgressView(json: boolean): ProgressView {
  if (json) return plainView(process.stderr);
  return process.stdout.isTTY ? terminalView() : plainView(process.stdout);
}

function plainView(stream: NodeJS.WritableStream): ProgressView {
  const seen = new Set<string>();
  const line = (text: string): void => void stream.write(`${text}\n`);
  return {
    line,
    update: (phases) => {
      for (const phase of phases) {
        if (phase.state === 'running' && !seen.has(`${phase.name} began`)) {
          seen.add(`${phase.name} began`);
          line(`  ${phase.name} …`);
        }
        if (isEnded(phase) && !seen.has(phase.name)) {
          seen.add(phase.name);
          line(describeEnded(phase));
        }
      }
    },
    end: () => undefined,
  };
}

function isEnded(phase: Phase): boolean {
  return phase.state === 'done' || phase.state === 'failed' || phase.state === 'skipped';
}

/** A rate says something of rows and documents, nothing of a handful of indexes or checks. */
function hasRate(unit: string | null): boolean {
  return unit === 'rows' || unit === 'documents';
}

const width = 16;

function describeEnded(phase: Phase): string {
  if (phase.state === 'skipped') return colors.dim(`- ${phase.name.padEnd(width)} not needed`);
  const mark = phase.state === 'done' ? colors.green('✓') : colors.red('✗');
  const ms = durationMs(phase);
  const parts = [prettyMs(ms, { keepDecimalsOnWholeSeconds: true }).padStart(8)];
  if (phase.unit !== null && phase.progressDone > 0) {
    parts.push(`${formatCount(phase.progressDone)} ${phase.unit}`);
    if (hasRate(phase.unit) && ms >= 100)
      parts.push(colors.dim(`${formatCount((phase.progressDone / ms) * 1000)}/s`));
  }
  return `${mark} ${phase.name.padEnd(width)} ${parts.join('  ')}`;
}

/** How long a phase has taken, ms. */
export function durationMs(phase: Phase): number {
  if (phase.startedAt === null) return 0;
  return (phase.finishedAt?.getTime() ?? Date.now()) - phase.startedAt.getTime();
}

function terminalView(): ProgressView {
  const bars = new cliProgress.MultiBar(
    {
      format: `{mark} {name} {bar} {share}  {amount}  ${colors.dim('{rate}{left}')}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      clearOnComplete: false,
      hideCursor: true,
      fps: 8,
      linewrap: false,
    },
    cliProgress.Presets.shades_classic,
  );
  const running = new Map<string, cliProgress.SingleBar>();
  const ended = new Set<string>();
  const line = (text: string): void => {
    bars.log(`${text}\n`);
    bars.update();
  };
  const updateOne = (phase: Phase): void => {
    if (isEnded(phase) && !ended.has(phase.name)) {
      ended.add(phase.name);
      const bar = running.get(phase.name);
      if (bar) bars.remove(bar);
      running.delete(phase.name);
      line(describeEnded(phase));
    }
    if (phase.state !== 'running') return;
    const bar = running.get(phase.name) ?? bars.create(1, 0, describeRunning(phase));
    running.set(phase.name, bar);
    bar.setTotal(Math.max(1, phase.progressTotal ?? 1));
    bar.update(Math.min(phase.progressDone, phase.progressTotal ?? 1), describeRunning(phase));
  };
  return { line, update: (phases) => phases.forEach(updateOne), end: () => bars.stop() };
}

function describeRunning(phase: Phase): Record<string, string> {
  const ms = durationMs(phase);
  const { progressDone: done, progressTotal: total, unit } = phase;
  const perMs = ms > 0 ? done / ms : 0;
  const known = total !== null && total > 0;
  const left =
    known && done > 0 && done < total
      ? `, ${prettyMs(Math.round((total - done) / perMs / 1000) * 1000)} left`
      : '';
  return {
    mark: colors.cyan('▸'),
    name: phase.name.padEnd(width),
    share: known ? `${Math.min(100, Math.floor((done / total) * 100))}%`.padStart(4) : '   –',
    amount:
      unit === null
        ? prettyMs(ms, { secondsDecimalDigits: 0 })
        : `${formatCount(done)}${known ? ` of ${formatCount(total)}` : ''} ${unit}`,
    rate: !hasRate(unit) || perMs === 0 ? '' : `${formatCount(perMs * 1000)}/s`,
    left,
  };
}

/** One event as a line. */
export function describeEvent(event: RunEvent): string {
  const mark =
    event.level === 'info'
      ? colors.cyan('i')
      : event.level === 'warning'
        ? colors.yellow('!')
        : colors.red('✗');
  return `${mark} ${event.message}`;
}
