import type { Variables } from '../config/complete.js';
import { environmentOf, listEmbeddedParts } from '../config/resolve.js';
import type { Config, MediaConfig, TableMapping } from '../config/types.js';
import { doctorCallMs } from '../limits.js';
import { parseQualifiedName, tempTableOf } from '../postgres/identifiers.js';
import { withSession, type Session } from '../postgres/session.js';
import { readUnsupported } from '../postgres/shape/refusals.js';
import { openSearchClient, type SearchClient } from '../search/client.js';
import { checkAliases, checkCluster, checkDisks } from './doctor/cluster.js';
import { checkEmbeddedParts } from './doctor/embedded.js';
import { checkTerms } from './doctor/terms.js';
import { attempt, ok, orOk, problem, type Finding } from './doctor/finding.js';
import {
  judgeLeftovers,
  judgeUnmarked,
  listUnmarkedTempTables,
  readKnownState,
  rulesOf,
  type KnownState,
} from './doctor/leftovers.js';
import { readRelation, type RelationFacts } from './doctor/relations.js';
import { judgeIds, readIdFacts } from './doctor/sequences.js';
import {
  judgeCatalog,
  judgeSameDatabase,
  judgeTarget,
  readServerFacts,
  type ServerFacts,
} from './doctor/servers.js';
import {
  describeMapping,
  judgeDownstream,
  judgeFilling,
  judgeIdentifierTable,
  judgeUpstream,
} from './doctor/tables.js';
import { findInApi, findSessions } from './sweep/apiDatabase.js';
import type { SweepRules } from './sweep/rules.js';
import { findInSearch } from './sweep/searchCluster.js';

export type { Finding } from './doctor/finding.js';

/** Where the parts answer. Null and an empty list: an embedded part that does not run now. */
export interface DoctorUrls {
  readonly catalogUrl: string | null;
  readonly apiUrl: string | null;
  readonly stateUrl: string | null;
  readonly searchUrls: readonly string[];
}

interface Target {
  readonly catalog: ServerFacts | null;
  readonly api: ServerFacts | null;
  readonly stateId: string | null;
  readonly rules: SweepRules;
  readonly upstream: ReadonlyMap<string, RelationFacts | null>;
}

/**
 * Looks at everything that a refresh of the environment needs and says what to do about what is wrong. Changes nothing: database sessions
 * are read-only, and the cluster is only asked for what it must refuse. Every fault is a finding; nothing is thrown but for an unknown environment.
 */
export async function runDoctor(
  config: Config,
  environmentName: string,
  urls: DoctorUrls,
  env: Variables = process.env,
): Promise<Finding[]> {
  const environment = environmentOf(config, environmentName);
  const media = Object.keys(environment.media).flatMap((name) => config.media[name] ?? []);
  const embedded = await checkEmbeddedParts(
    listEmbeddedParts(config, environmentName),
    config.embeddedFolder,
  );
  const catalog = await examineCatalog(urls.catalogUrl, media);
  const state = await examineState(urls.stateUrl);
  const rules = rulesOf(environment, state.known);
  const stateId = state.known?.stateId ?? null;
  const api = await examineApi(urls.apiUrl, media, { ...catalog, stateId, rules });
  const search = await examineSearch(urls.searchUrls, media, { rules, halfPromoted: api.halfPromoted });
  const terms = await attempt('sensitive terms', () => checkTerms(environment, env));
  return [
    ...embedded,
    ...notLookedAt(urls),
    ...catalog.findings,
    ...state.findings,
    ...api.findings,
    ...search,
    ...terms,
  ];
}

function notLookedAt({ catalogUrl, apiUrl, stateUrl, searchUrls }: DoctorUrls): Finding[] {
  const absent = [
    ...(catalogUrl === null ? ['catalog'] : []),
    ...(apiUrl === null ? ['API database'] : []),
    ...(stateUrl === null ? ['state database'] : []),
    ...(searchUrls.length === 0 ? ['search cluster'] : []),
  ];
  if (absent.length === 0) return [];
  return [
    ok(
      'embedded parts',
      `do not run now, so nothing was looked at in: ${absent.join(', ')}. A refresh or \`freshet demo\` starts them.`,
    ),
  ];
}

/** A session in which nothing can be changed and no statement takes long. */
async function examine(
  url: string,
  called: 'catalog' | 'API database' | 'state database',
  work: (session: Session, server: ServerFacts) => Promise<Finding[]>,
): Promise<Finding[]> {
  return attempt(called, () =>
    withSession(url, { applicationName: 'freshet doctor', called }, async (session) => {
      const server = await readServerFacts(session);
      await session.query(`set statement_timeout = ${doctorCallMs}`);
      await session.query('set session characteristics as transaction read only');
      return work(session, server);
    }),
  );
}

async function examineCatalog(url: string | null, media: readonly MediaConfig[]) {
  const upstream = new Map<string, RelationFacts | null>();
  const seen: { catalog: ServerFacts | null } = { catalog: null };
  if (url === null) return { findings: [], upstream, catalog: null };
  const findings = await examine(url, 'catalog', async (session, server) => {
    seen.catalog = server;
    const found = await eachMapping(media, async (mapping, one) => {
      const facts = await readRelation(session, mapping.upstream);
      upstream.set(mapping.upstream, facts);
      return judgeUpstream(mapping, one, facts);
    });
    return [...judgeCatalog(server), ...found];
  });
  return { findings, upstream, catalog: seen.catalog };
}

async function examineState(url: string | null) {
  const seen: { known: KnownState | null } = { known: null };
  if (url === null) return { findings: [], known: null };
  const findings = await examine(url, 'state database', async (session, server) => {
    seen.known = await readKnownState(session);
    return judgeTarget('state database', server);
  });
  return { findings, known: seen.known };
}

async function examineApi(
  url: string | null,
  media: readonly MediaConfig[],
  { catalog, upstream, stateId, rules }: Omit<Target, 'api'>,
) {
  const seen: { halfPromoted: ReadonlySet<string> | null } = { halfPromoted: null };
  if (url === null) return { findings: [], halfPromoted: null };
  const findings = await examine(url, 'API database', async (session, server) => {
    const tables = await eachMapping(media, (mapping, one) =>
      examineLiveTable(session, mapping, one, upstream.get(mapping.upstream) ?? null),
    );
    const others: Finding[] = [];
    for (const relation of listIdentifierTables(media)) {
      others.push(...judgeIdentifierTable(relation, await readRelation(session, relation)));
    }
    const wanted = new Set(mappingsOf(media).map(({ downstream }) => tempNameOf(downstream)));
    const left = await findInApi(session, rules, stateId);
    seen.halfPromoted = left.halfPromoted;
    return [
      ...judgeTarget('API database', server),
      ...(catalog === null ? [] : judgeSameDatabase(catalog, server)),
      ...tables,
      ...others,
      ...judgeUnmarked(await listUnmarkedTempTables(session), wanted),
      ...judgeLeftovers([...left.tables, ...left.holders, ...(await findSessions(session, rules))], rules),
    ];
  });
  return { findings, halfPromoted: seen.halfPromoted };
}

async function examineLiveTable(
  session: Session,
  mapping: TableMapping,
  media: MediaConfig,
  upstream: RelationFacts | null,
): Promise<Finding[]> {
  const facts = await readRelation(session, mapping.downstream);
  const findings = judgeDownstream(mapping, media, facts);
  if (facts === null) return findings;
  const unsupported = (await readUnsupported(session, facts.oid)).map((feature) =>
    problem(
      `table ${facts.name}`,
      `The promoted table could not have what the live one has: ${feature}.`,
      'Remove it before a refresh, and create it again afterwards where it is needed.',
    ),
  );
  const ids = facts.readable ? await examineIds(session, facts, mapping.idColumn) : [];
  const found = [
    ...findings,
    ...unsupported,
    ...(upstream === null ? [] : judgeFilling(mapping, upstream, facts)),
    ...ids,
  ];
  return upstream === null ? found : orOk(found, describeMapping(mapping, upstream, facts));
}

async function examineIds(session: Session, table: RelationFacts, idColumn: string): Promise<Finding[]> {
  return attempt(`ids of ${table.name}`, async () => {
    const ids = await readIdFacts(session, table, idColumn);
    return ids === null ? [] : judgeIds(table.name, ids);
  });
}

interface SearchTarget {
  readonly rules: SweepRules;
  readonly halfPromoted: ReadonlySet<string> | null;
}

async function examineSearch(
  urls: readonly string[],
  media: readonly MediaConfig[],
  target: SearchTarget,
): Promise<Finding[]> {
  if (urls.length === 0) return [];
  const client = openSearchClient(urls);
  try {
    return await attempt('search cluster', async () => {
      const cluster = await checkCluster(client);
      return [...cluster, ...(await examineIndexes(client, media, target))];
    });
  } finally {
    await client.close();
  }
}

async function examineIndexes(
  client: SearchClient,
  media: readonly MediaConfig[],
  { rules, halfPromoted }: SearchTarget,
): Promise<Finding[]> {
  const aliases = media.flatMap(({ index }) => [index.alias, index.filteredAlias]);
  const usable = await Promise.all(media.map((one) => checkAliases(client, one)));
  const disks = await attempt('search disks', () => checkDisks(client, aliases));
  const leftovers = await attempt('leftovers', async () => {
    const found = await findInSearch(client, rules, media, halfPromoted);
    return judgeLeftovers([...found.tasks, ...found.indexes, ...found.aliases], rules);
  });
  return [...usable.flat(), ...disks, ...leftovers];
}

function mappingsOf(media: readonly MediaConfig[]): TableMapping[] {
  return media.flatMap(({ main, additional }) => [main, ...additional]);
}

async function eachMapping(
  media: readonly MediaConfig[],
  work: (mapping: TableMapping, media: MediaConfig) => Promise<Finding[]>,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const one of media) {
    for (const mapping of mappingsOf([one])) found.push(...(await work(mapping, one)));
  }
  return found;
}

/** Tables of which only identifiers are read, each once. */
function listIdentifierTables(media: readonly MediaConfig[]): string[] {
  const named = [
    ...mappingsOf(media).map(({ deletedMediaTable }) => deletedMediaTable),
    ...media.map(({ sensitiveMediaTable }) => sensitiveMediaTable),
  ];
  return [...new Set(named.filter((relation) => relation !== null))];
}

function tempNameOf(downstream: string): string {
  const { schema, name } = tempTableOf(parseQualifiedName(downstream));
  return `${schema}.${name}`;
}
