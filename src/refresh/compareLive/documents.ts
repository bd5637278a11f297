import type { MediaConfig } from '../../config/types.js';
import { fetchDocumentsMax } from '../../limits.js';
import type { Session } from '../../postgres/session.js';
import type { SearchClient } from '../../search/client.js';
import { fetchDocuments } from '../../search/documents.js';
import {
  documentsBetween,
  documentsWithout,
  type FoundHit,
  type HitRange,
} from '../../search/documentPages.js';
import type { SortedIds } from '../../search/sortedIds.js';
import { judgeDocument, type RowState, type Verdict } from './documentVerdict.js';
import type { Findings } from './findings.js';
import type { LivePages, LiveRow } from './livePages.js';
import type { LiveIndex } from './target.js';
import { readFacts } from './writersLists.js';

export interface DocumentsOptions {
  readonly search: SearchClient;
  /** The session of `pages`. */
  readonly api: Session;
  /** For looking again at single rows: not those that are read page by page meanwhile. */
  readonly pages: LivePages;
  readonly media: MediaConfig;
  readonly main: LiveIndex;
  readonly filtered: LiveIndex | null;
  /** Ids of the main index' documents with a sensitive term. */
  readonly matches: SortedIds;
  readonly areTermsChanged: boolean;
  /** Ids of documents that the run is on record with as refused. */
  readonly rejected: ReadonlySet<string>;
  readonly findings: Findings;
}

interface ComparedIndex {
  readonly name: string;
  readonly role: Verdict['index'];
}

/**
 * Compares live rows with their documents in both indexes, and both indexes with the rows. Indexes have no snapshot, and API writers take
 * documents out while they are read: whatever looks wrong is looked at again, row and documents by id as they are then, before it is told.
 */
export class DocumentsComparison {
  readonly #indexes: readonly ComparedIndex[];
  #looking: Promise<void> = Promise.resolve();

  constructor(private readonly options: DocumentsOptions) {
    const { main, filtered } = options;
    this.#indexes = [
      { name: main.name, role: 'main' },
      ...(filtered === null ? [] : [{ name: filtered.name, role: 'filtered' } as const]),
    ];
  }

  /** Compares a page of rows with what the indexes have in its range of ids. */
  async comparePage(rows: readonly LiveRow[], range: HitRange): Promise<void> {
    const states = new Map(rows.map((row) => [row.id, this.#stateOf(row)]));
    const found = await Promise.all(this.#indexes.map((index) => this.#readRange(index, states, range)));
    const suspects = [...states].filter(([id, state]) => !this.#isFine(id, state, found));
    await this.#lookAgain(
      suspects.map(([id]) => id),
      'both',
    );
  }

  /** Documents that no range of ids has. */
  async compareWithoutId(): Promise<void> {
    const { search, media } = this.options;
    for (const { name, role } of this.#indexes) {
      await this.#lookAgainAtOthers(await documentsWithout(search, name, media.main.idColumn), role);
    }
  }

  /** The documents of the page's rows; what else the range has is looked at at once, so that it does not pile up. */
  async #readRange(
    { name, role }: ComparedIndex,
    states: ReadonlyMap<string, RowState>,
    range: HitRange,
  ): Promise<Map<string, FoundHit>> {
    const { search, media } = this.options;
    const found = new Map<string, FoundHit>();
    for await (const hits of documentsBetween(search, name, media.main.idColumn, range)) {
      for (const hit of hits) if (states.has(hit.id)) found.set(hit.id, hit);
      await this.#lookAgainAtOthers(
        hits.filter(({ id }) => !states.has(id)),
        role,
      );
    }
    return found;
  }

  #isFine(id: string, state: RowState, found: readonly ReadonlyMap<string, FoundHit>[]): boolean {
    const hits = found.map((hits) => hits.get(id) ?? null);
    if (state.kind !== 'indexed') return state.kind !== 'unbuildable' && hits.every((hit) => hit === null);
    const expected = JSON.stringify(state.document);
    const isEqual = (hit: FoundHit | null): boolean =>
      hit !== null && JSON.stringify(hit.source) === expected;
    const [main = null, filtered = null] = hits;
    if (!isEqual(main)) return false;
    if (this.options.filtered === null) return true;
    return this.#isMatched(id) ? filtered === null : isEqual(filtered);
  }

  #isMatched(id: string): boolean {
    const number = Number(id);
    return Number.isSafeInteger(number) && this.options.matches.between(number, number).length > 0;
  }

  #stateOf(row: LiveRow): RowState {
    const { pages, media } = this.options;
    if (pages.reader === null) return { kind: 'absent' };
    try {
      const read = pages.reader.read(row.line);
      if (read.skipped !== null) return { kind: 'left out' };
      return { kind: 'indexed', document: media.document.build(read.row, { sensitive: read.sensitive }) };
    } catch {
      return { kind: 'unbuildable' };
    }
  }

  /** Documents of an index without a row in their range. One whose row is elsewhere is told where that row is. */
  #lookAgainAtOthers(hits: readonly FoundHit[], index: Verdict['index']): Promise<void> {
    return this.#lookAgain(
      hits.map(({ id }) => id),
      index,
    );
  }

  /** Judges documents by id, row and documents as they are now, one lot after the other: they share a session. */
  #lookAgain(ids: readonly string[], index: Verdict['index'] | 'both'): Promise<void> {
    if (ids.length === 0) return Promise.resolve();
    this.#looking = this.#looking.then(async () => {
      for (let start = 0; start < ids.length; start += fetchDocumentsMax) {
        await this.#judge(ids.slice(start, start + fetchDocumentsMax), index);
      }
    });
    return this.#looking;
  }

  async #judge(ids: readonly string[], index: Verdict['index'] | 'both'): Promise<void> {
    const { search, api, pages, media, main, filtered, findings } = this.options;
    const rows = new Map((await pages.only(ids.filter(isRowId))).map((row) => [row.id, row]));
    const judged = index === 'both' ? ids : ids.filter((id) => !rows.has(id));
    const inMain = await fetchDocuments(search, main.name, judged);
    const inFiltered = filtered === null ? null : await fetchDocuments(search, filtered.name, judged);
    const identifierOf = (id: string): string | null =>
      rows.get(id)?.identifier ?? identifierIn(inMain.get(id) ?? inFiltered?.get(id) ?? null);
    const identifiers = judged.map(identifierOf).filter((identifier) => identifier !== null);
    const factsOf = await readFacts(api, media, main.runId, identifiers);
    for (const id of judged) {
      const row = rows.get(id);
      const verdicts = judgeDocument({
        row: row === undefined ? { kind: 'absent' } : this.#stateOf(row),
        main: inMain.get(id) ?? null,
        filtered: inFiltered === null ? undefined : (inFiltered.get(id) ?? null),
        isMatched: this.#isMatched(id),
        isRejected: this.options.rejected.has(id),
        areTermsChanged: this.options.areTermsChanged,
        facts: factsOf(identifierOf(id)),
      });
      for (const { index: role, kind, fields } of verdicts) {
        if (index !== 'both' && role !== index) continue;
        const place = role === 'main' ? main.name : (filtered?.name ?? '');
        await findings.add({ kind, place, key: id, id: row === undefined ? null : id, columns: fields });
      }
    }
  }
}

/** Whether a document's id can be a row's. */
function isRowId(id: string): boolean {
  return /^(0|-?[1-9]\d{0,17})$/.test(id);
}

function identifierIn(document: Readonly<Record<string, unknown>> | null): string | null {
  const identifier = document?.['identifier'];
  return typeof identifier === 'string' ? identifier : null;
}
