import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startParts } from '../../src/embedded/parts.js';
import { readGivenParts, type TestParts } from '../setup/parts.js';
import type { Flow } from './matrix.js';
import type { RoundPlan } from './plan.js';
import type { RoundOutcome } from './round.js';
import {
  chained,
  describeRound,
  Lanes,
  repeatCommand,
  selectCells,
  shortMatrix,
  wholeMatrix,
} from './rounds.js';

/**
 * The kill matrix in its long form: every failpoint in every flow, once per seed, each in a run of its own. Results go into a file; started again
 * it goes on where it was, as long as the code is the same. Failures are run again, and listed at the end.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    only: { type: 'string' },
    flow: { type: 'string' },
    chain: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    lanes: { type: 'string', default: '2' },
    results: { type: 'string', default: join(root, '.freshet', 'crash-results.jsonl') },
    again: { type: 'boolean', default: false },
  },
});

interface Result {
  readonly code: string;
  readonly round: string;
  readonly problems: readonly string[];
}

/** Digest of the built product and of this test: results of other code say nothing. */
function digestCode(): string {
  const hash = createHash('sha256');
  for (const folder of ['dist', 'test/crash']) {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((name) => /\.(js|ts)$/.test(name)).sort()) {
      hash.update(file).update(readFileSync(join(root, folder, file)));
    }
  }
  return hash.digest('hex').slice(0, 12);
}

function readPassed(code: string): Set<string> {
  if (options.again || !existsSync(options.results)) return new Set();
  const lines = readFileSync(options.results, 'utf8').trim().split('\n');
  const results = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Result);
  return new Set(
    results
      .filter((result) => result.code === code && result.problems.length === 0)
      .map(({ round }) => round),
  );
}

function planCells(): readonly RoundPlan['cells'][] {
  if (options.short) return shortMatrix();
  if (options.only === undefined && options.flow === undefined) return wholeMatrix;
  const flow = (options.flow ?? null) as Flow | null;
  const names = options.only?.split(',') ?? [];
  const selected =
    names.length > 0
      ? selectCells(names, flow)
      : wholeMatrix.map(([cell]) => cell).filter((cell) => cell.flow === flow);
  if (options.chain && names.length === 0) return chained(selected);
  const [first, ...others] = selected;
  if (first === undefined)
    throw new Error('no failpoint has that name, or not in that flow: docs/failpoints.md');
  return options.chain ? [[first, ...others]] : selected.map((cell) => [cell] as const);
}

async function openParts(): Promise<{ parts: TestParts; stop: () => Promise<void> }> {
  const given = readGivenParts();
  if (given !== null) return { parts: given, stop: () => Promise.resolve() };
  const parts = await startParts({ folder: null, searchHeapMb: 512, report: (line) => console.log(line) });
  const { catalogUrl, apiUrl, searchUrl } = parts;
  if (searchUrl === null) throw new Error('there is no search engine');
  return { parts: { catalogUrl, apiUrl, searchUrl }, stop: () => parts.stop() };
}

/** Runs the rounds of one seed, some at a time. */
async function runSeed(
  parts: TestParts,
  plans: readonly RoundPlan[],
  onEnd: (plan: RoundPlan, outcome: RoundOutcome) => void,
): Promise<void> {
  const [first] = plans;
  if (first === undefined) return;
  const lanes = new Lanes(parts, first.seed);
  const queue = [...plans];
  const work = async (): Promise<void> => {
    for (let plan = queue.shift(); plan !== undefined; plan = queue.shift()) {
      onEnd(plan, await lanes.run(plan));
    }
  };
  try {
    await Promise.all(Array.from({ length: Number(options.lanes) }, work));
  } finally {
    await lanes.drop();
  }
}

async function main(): Promise<void> {
  const [first, count, code] = [Number(options.from), Number(options.seeds), digestCode()];
  const passed = readPassed(code);
  const chains = planCells();
  const failures: { plan: RoundPlan; problems: readonly string[] }[] = [];
  let done = 0;
  mkdirSync(dirname(options.results), { recursive: true });
  const { parts, stop } = await openParts();
  const startedAt = Date.now();
  try {
    for (let seed = first; seed < first + count; seed += 1) {
      const plans = chains.map((cells): RoundPlan => ({ seed, cells }));
      const open = plans.filter((plan) => !passed.has(describeRound(plan)));
      console.log(
        `seed ${seed}: ${open.length} rounds${open.length < plans.length ? `, ${plans.length - open.length} passed before` : ''}`,
      );
      await runSeed(parts, open, (plan, { problems, media, recovery, ms }) => {
        const round = describeRound(plan);
        done += 1;
        if (problems.length > 0) failures.push({ plan, problems });
        appendFileSync(
          options.results,
          `${JSON.stringify({ code, round, media, recovery, ms, problems })}\n`,
        );
        console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${round} (${media}, ${recovery}) ${ms} ms`);
        for (const problem of problems) console.log(`     ${problem}`);
      });
    }
  } finally {
    await stop();
  }
  console.log(
    `${done} rounds in ${Math.round((Date.now() - startedAt) / 1000)} s, ${failures.length} failed`,
  );
  for (const { plan, problems } of failures) {
    console.log(`\n${describeRound(plan)}\n  ${problems[0]}\n  repeat: ${repeatCommand(plan)}`);
  }
  process.exitCode = failures.length === 0 ? 0 : 1;
}

await main();
