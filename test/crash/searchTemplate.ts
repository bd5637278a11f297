import type { LocalEnvironment } from '../setup/localEnvironment.js';

interface IndexState {
  readonly aliases: Readonly<Record<string, unknown>>;
  readonly mappings: unknown;
  readonly settings: { readonly index: Readonly<Record<string, unknown>> };
}

type Documents = Map<string, Record<string, unknown>>;

/**
 * The indexes of an environment as they were at one moment, to be put back after each round: later indexes go, aliases return, documents that API
 * writers changed are written again. Of an index that no reader sees any more only settings and mapping come back, unless a round makes it live again.
 */
export class SearchTemplate {
  private readonly indexes = new Map<string, IndexState>();
  private readonly documents = new Map<string, Documents>();

  constructor(private readonly local: LocalEnvironment) {}

  async remember(): Promise<void> {
    for (const name of Object.keys(await this.local.indexes())) {
      const state = (await this.local.search<Record<string, IndexState>>(name))[name];
      if (state === undefined) throw new Error(`no index ${name}`);
      this.indexes.set(name, state);
      this.documents.set(name, await this.local.documents(name));
    }
  }

  /** @param all also the documents of indexes that no reader sees. */
  async restore(all: boolean): Promise<void> {
    const present = Object.keys(await this.local.indexes());
    const later = present.filter((name) => !this.indexes.has(name));
    if (later.length > 0) await this.send('DELETE', later.join(','));
    for (const [name, state] of this.indexes)
      if (!present.includes(name)) await this.createAgain(name, state);
    await this.moveAliasesBack();
    for (const [name, documents] of this.documents) {
      const isServed = Object.keys(this.indexes.get(name)?.aliases ?? {}).length > 0;
      if (all || isServed) await this.restoreDocuments(name, documents);
    }
  }

  private async createAgain(name: string, { mappings, settings: { index } }: IndexState): Promise<void> {
    const { number_of_shards, number_of_replicas, refresh_interval, analysis } = index;
    const settings = { index: { number_of_shards, number_of_replicas, refresh_interval, analysis } };
    await this.send('PUT', name, { mappings, settings });
  }

  private async moveAliasesBack(): Promise<void> {
    const found = await this.local.indexes();
    const wanted = [...this.indexes].flatMap(([index, { aliases }]) =>
      Object.keys(aliases).map((alias) => ({ index, alias })),
    );
    const actions = [
      ...Object.entries(found).flatMap(([index, aliases]) =>
        aliases
          .filter((alias) => !wanted.some((one) => one.index === index && one.alias === alias))
          .map((alias) => ({ remove: { index, alias } })),
      ),
      ...wanted.filter(({ index, alias }) => found[index]?.includes(alias) !== true).map((add) => ({ add })),
    ];
    if (actions.length > 0) await this.send('POST', '_aliases', { actions });
  }

  private async restoreDocuments(name: string, documents: Documents): Promise<void> {
    const found = await this.local.documents(name);
    const changed = [...documents].filter(
      ([id, document]) => JSON.stringify(found.get(id)) !== JSON.stringify(document),
    );
    await this.write(name, changed);
    const added = [...found.keys()].filter((id) => !documents.has(id));
    if (added.length > 0) throw new Error(`${name} has documents that it never had: ${added.join(', ')}`);
  }

  private async write(name: string, documents: readonly (readonly [string, object])[]): Promise<void> {
    if (documents.length === 0) return;
    const lines = documents.flatMap(([id, document]) => [{ index: { _id: id } }, document]);
    const answer = await fetch(`${this.local.searchUrl}/${name}/_bulk?refresh=true`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    });
    const { errors } = (await answer.json()) as { errors?: boolean };
    if (errors !== false) throw new Error(`the documents of ${name} could not be written again`);
  }

  private async send(method: string, path: string, body?: unknown): Promise<void> {
    const answer = await this.local.search<{ error?: unknown }>(path, { method, body });
    if (answer.error !== undefined) throw new Error(`${method} ${path}: ${JSON.stringify(answer.error)}`);
  }
}
