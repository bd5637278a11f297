import { generationOf } from '../../postgres/swapRecord.js';
import type { FoundIndex } from '../../search/readIndex.js';
import type { Difference } from '../../state/differences.js';
import type { Generation } from '../../state/generations.js';
import type { LiveTable, TableFacts } from './tables.js';

/** A public alias. */
export interface ServedAlias {
  readonly alias: string;
  /** The live generation's index; null = the state knows none. */
  readonly expected: string | null;
  /** What it points at. */
  readonly indexes: readonly string[];
  /** The expected index; null = there is none. */
  readonly index: FoundIndex | null;
}

export interface DriftFacts extends TableFacts {
  readonly environment: string;
  readonly media: string;
  /** What the state says is live. */
  readonly live: Generation | null;
  readonly aliases: readonly ServedAlias[];
  /** The configured serving settings. */
  readonly wanted: { readonly replicas: number; readonly refreshInterval: string };
}

type Found = Pick<Difference, 'subject' | 'expected' | 'found' | 'remedy'>;

/** In what the facts contradict each other. Pure. */
export function findDifferences(facts: DriftFacts): Difference[] {
  const { environment, media } = facts;
  return compare(facts).map((found) => ({ environment, media, ...found }));
}

function compare(facts: DriftFacts): Found[] {
  const { live, foreign } = facts;
  if (foreign?.media === facts.media) return [heldByForeign(facts)];
  const half = compareSwap(facts);
  if (half !== null) return [half];
  if (live === null) return compareUnknown(facts);
  return [
    ...facts.aliases.flatMap((alias) => compareAlias(facts, alias)),
    ...facts.tables.flatMap((table) => compareTable(facts, live, table)),
    ...facts.aliases.flatMap((alias) => compareIndex(facts, live, alias)),
  ];
}

function refreshOf({ environment, media }: DriftFacts): string {
  return `freshet refresh ${environment} ${media}`;
}

function heldByForeign({ environment, foreign }: DriftFacts): Found {
  return {
    subject: 'API database',
    expected: 'no run of another state database',
    found: `held by run ${foreign?.runId} (${foreign?.media}) on ${foreign?.host} since ${foreign?.heldSince.toISOString()}`,
    remedy: `Use one state database. If the other one is gone for good: freshet release ${environment}`,
  };
}

/** Tables whose aliases have not followed (I2). */
function compareSwap(facts: DriftFacts): Found | null {
  const { swap, environment, live, media } = facts;
  if (swap === null || swap.isFinished || live?.runId === generationOf(swap.record)) return null;
  return {
    subject: `generation of ${media}`,
    expected: `aliases at the indexes of run ${generationOf(swap.record)}, whose tables are live`,
    found: facts.aliases.map(({ alias, indexes }) => `${alias} at ${listed(indexes)}`).join(', '),
    remedy: `The orchestrator finishes that within minutes, if the indexes are there (freshet up; retry: freshet retry ${swap.record.runId}). If another state database knew the run and is gone for good: freshet release ${environment}. If its indexes are gone: ${refreshOf(facts)}`,
  };
}

/** A state that knows nothing of what is live: lost, and not yet told by the marks. */
function compareUnknown(facts: DriftFacts): Found[] {
  const marked = facts.tables.find(({ mark }) => mark?.role === 'live');
  if (marked === undefined) return [];
  return [
    {
      subject: `generation of ${facts.media}`,
      expected: 'the state knows what is live',
      found: `${marked.name} of run ${marked.mark?.runId}, which it does not know`,
      remedy:
        'An orchestrator takes it over from the marks at its start: freshet up (for `local`: any refresh).',
    },
  ];
}

function compareAlias(facts: DriftFacts, { alias, expected, indexes, index }: ServedAlias): Found[] {
  if (expected === null || indexes.join() === expected) return [];
  const actions = [
    ...indexes.filter((one) => one !== expected).map((one) => ({ remove: { index: one, alias } })),
    ...(indexes.includes(expected) ? [] : [{ add: { index: expected, alias } }]),
  ];
  return [
    {
      subject: `alias ${alias}`,
      expected,
      found: listed(indexes),
      remedy:
        index === null
          ? `The index ${expected} is gone: ${refreshOf(facts)}`
          : `Somebody moved it by hand. Move it back: POST /_aliases ${JSON.stringify({ actions })}. Or replace it all: ${refreshOf(facts)}`,
    },
  ];
}

function compareTable(facts: DriftFacts, live: Generation, { name, key, oid, mark }: LiveTable): Found[] {
  const expected = live.tables[key];
  if (expected === undefined) return [];
  const remedy = `Somebody replaced or renamed it. Rename the right table back, or replace it all: ${refreshOf(facts)}`;
  if (oid !== expected) {
    const whose = mark === null ? 'which carries no mark of freshet' : `of run ${mark.runId} (${mark.role})`;
    const found = oid === null ? 'no table of that name' : `oid ${oid}, ${whose}`;
    return [
      { subject: `table ${name}`, expected: `oid ${expected}, of generation ${live.id}`, found, remedy },
    ];
  }
  const isSwapped = facts.swap?.record.tables.some(({ liveOid }) => liveOid === oid) === true;
  if (!isSwapped || mark?.role === 'live') return [];
  return [
    {
      subject: `mark of ${name}`,
      expected: `live, of run ${facts.swap?.record.runId}`,
      found: mark === null ? 'none' : `${mark.role}, of run ${mark.runId}`,
      remedy: `Somebody changed freshet.parts in the API database. The table is served all the same; ${refreshOf(facts)} marks the next one`,
    },
  ];
}

function compareIndex(facts: DriftFacts, live: Generation, { expected, index }: ServedAlias): Found[] {
  if (expected === null || index === null) return [];
  const isFiltered = expected === live.filteredIndex;
  const fits = index.mark?.media === facts.media && (!isFiltered || index.mark.runId === live.runId);
  const marks: Found[] = fits
    ? []
    : [
        {
          subject: `mark of ${expected}`,
          expected: isFiltered ? `of run ${live.runId}` : `of ${facts.media}`,
          found: index.mark === null ? 'none' : `of run ${index.mark.runId} (${index.mark.media})`,
          remedy: `Another index has the name of the live one: find out what made it, then ${refreshOf(facts)}`,
        },
      ];
  return [...marks, ...compareSettings(facts, expected, index)];
}

/** The settings of a serving index are the serving settings (I10). */
function compareSettings({ wanted }: DriftFacts, name: string, { settings }: FoundIndex): Found[] {
  const pairs = [
    ['number_of_replicas', wanted.replicas],
    ['refresh_interval', wanted.refreshInterval],
  ] as const;
  return pairs.flatMap(([setting, value]) => {
    // The engines return every setting as text.
    const found = settings.index[setting] as string | undefined;
    if (found === String(value)) return [];
    return [
      {
        subject: `${setting} of ${name}`,
        expected: String(value),
        found: found ?? 'unset',
        remedy: `PUT /${name}/_settings ${JSON.stringify({ index: { [setting]: value } })}, or change the configuration (search.${setting === 'refresh_interval' ? 'refreshInterval' : 'replicas'})`,
      },
    ];
  });
}

function listed(indexes: readonly string[]): string {
  return indexes.length === 0 ? 'no index' : indexes.join(', ');
}
