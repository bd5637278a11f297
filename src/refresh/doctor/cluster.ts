import { randomBytes } from 'node:crypto';
import prettyBytes from 'pretty-bytes';
import type { MediaConfig } from '../../config/types.js';
import { diskFreeShareMin, doctorCallMs } from '../../limits.js';
import { assertAliasUsable } from '../../search/aliases.js';
import { callEngine } from '../../search/call.js';
import { describeCluster, type ClusterDescription, type SearchClient } from '../../search/client.js';
import { attempt, ok, problem, warning, type Finding } from './finding.js';

const check = 'search cluster';

/** Reaches the cluster: engine, version, health. Throws the search client's errors, which name their remedy. */
export async function checkCluster(client: SearchClient): Promise<Finding[]> {
  return judgeHealth(await describeCluster(client, doctorCallMs));
}

export function judgeHealth({ engine, version, name, dataNodes, health }: ClusterDescription): Finding[] {
  const title = `${engine} ${version}, cluster ${name}, data nodes: ${dataNodes}`;
  if (health === 'green') return [ok(check, `${title}.`)];
  if (health === 'red') {
    return [
      problem(
        check,
        `${title}; its health is red.`,
        'Some index has lost documents: repair the cluster first.',
      ),
    ];
  }
  return [
    warning(
      check,
      `${title}; its health is yellow.`,
      'Some copies have no node: look at _cluster/allocation/explain.',
    ),
  ];
}

/** Whether both aliases of a media type can be used, and whether this user may create indexes for them. */
export async function checkAliases(client: SearchClient, { index }: MediaConfig): Promise<Finding[]> {
  const found = await Promise.all(
    [index.alias, index.filteredAlias].map((alias) =>
      attempt(`alias ${alias}`, async () => {
        await assertAliasUsable(client, alias);
        await tryRights(client, alias);
        return [ok(`alias ${alias}`, 'usable; this user may create its indexes and move it.')];
      }),
    ),
  );
  return found.flat();
}

/**
 * Asks for what cannot be done even with every right: an index with no shards, an alias taken from an index that does not exist. The
 * engines look at rights first, so the kind of refusal tells, and nothing is left behind. Throws SEARCH_FORBIDDEN.
 */
async function tryRights(client: SearchClient, alias: string): Promise<void> {
  const absent = `${alias}-doctor-${randomBytes(6).toString('hex')}`;
  await callEngine(client, {
    method: 'PUT',
    path: [absent],
    body: { settings: { index: { number_of_shards: 0 } } },
    what: `trying the right to create indexes of ${alias}`,
    accept: [400],
    timeoutMs: doctorCallMs,
  });
  await callEngine(client, {
    method: 'POST',
    path: ['_aliases'],
    body: { actions: [{ remove: { index: absent, alias, must_exist: true } }] },
    what: `trying the right to move the alias ${alias}`,
    accept: [404],
    timeoutMs: doctorCallMs,
  });
}

export interface DiskFacts {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

interface NodesAnswer {
  readonly nodes: Readonly<
    Record<string, { fs?: { total?: { total_in_bytes: number; available_in_bytes: number } } }>
  >;
}
interface StatsAnswer {
  readonly _all?: { readonly total?: { readonly store?: { readonly size_in_bytes?: number } } };
}

/** Compares the disks with what the aliases hold now: a refresh builds the same once more beside it. */
export async function checkDisks(client: SearchClient, aliases: readonly string[]): Promise<Finding[]> {
  const nodes = await callEngine<NodesAnswer>(client, {
    method: 'GET',
    path: ['_nodes', 'stats', 'fs'],
    what: 'reading its disks',
    timeoutMs: doctorCallMs,
  });
  const disks = Object.values(nodes.body.nodes).flatMap(({ fs }) =>
    fs?.total === undefined
      ? []
      : [{ totalBytes: fs.total.total_in_bytes, availableBytes: fs.total.available_in_bytes }],
  );
  const sizes = await Promise.all(aliases.map((alias) => readSize(client, alias)));
  return judgeDisks(
    disks,
    sizes.reduce((sum, bytes) => sum + bytes, 0),
  );
}

async function readSize(client: SearchClient, alias: string): Promise<number> {
  const { status, body } = await callEngine<StatsAnswer>(client, {
    method: 'GET',
    path: [alias, '_stats', 'store'],
    what: `reading the size of ${alias}`,
    accept: [404],
    timeoutMs: doctorCallMs,
  });
  return status === 404 ? 0 : (body._all?.total?.store?.size_in_bytes ?? 0);
}

export function judgeDisks(disks: readonly DiskFacts[], neededBytes: number): Finding[] {
  if (disks.length === 0) return [ok('search disks', 'The cluster does not tell.')];
  const total = disks.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const available = disks.reduce((sum, { availableBytes }) => sum + availableBytes, 0);
  const title = `${prettyBytes(available)} of ${prettyBytes(total)} are free; a refresh needs about ${prettyBytes(neededBytes)}`;
  if (available < neededBytes) {
    return [problem('search disks', `${title}.`, 'Make room or add a node: the run would fill the disks.')];
  }
  const isShort = (available - neededBytes) / total < diskFreeShareMin;
  const remedy = `Below ${diskFreeShareMin * 100} % free the engines allocate no new shards: make room or add a node.`;
  return [isShort ? warning('search disks', `${title}.`, remedy) : ok('search disks', `${title}.`)];
}
