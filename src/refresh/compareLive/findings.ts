/**
 * What a comparison of everything finds. Faults are differences that a refresh should not have left. The others are listed apart: what changed
 * in the catalog after the live generation's snapshot, and what API writers deleted or marked since.
 */
export const faults = {
  rowMissing: 'rows of the catalog that the live table lacks',
  rowExtra: 'rows of the live table that the catalog does not have',
  rowChanged: 'rows with other values than the catalog gives',
  documentMissing: 'rows without their document',
  documentExtra: 'documents without a row that may be indexed',
  documentChanged: 'documents that are not what their row gives',
  filteredMissing: 'documents without a sensitive term that the filtered index lacks',
  filteredSensitive: 'documents with a sensitive term in the filtered index',
  filteredExtra: 'documents of the filtered index without a row that may be indexed',
  filteredChanged: 'documents of the filtered index that are not what their row gives',
} as const;

export const expectedDifferences = {
  newInCatalog: 'rows that are new in the catalog since the snapshot',
  changedInCatalog: 'rows that changed in the catalog since the snapshot',
  undated: 'rows that differ and have no time of change, where the catalog has changed since',
  deletedByApi: 'rows and documents of records that the API deleted since the snapshot',
  deletedRowKept: 'rows of records that are listed as deleted, which the live table has still',
  deletedDocumentKept: 'documents of records that the API listed as deleted since, which an index has still',
  deletionWithdrawn: 'records whose deletion was withdrawn since; the next refresh brings them back',
  markChanged: 'documents whose sensitive mark came or went since and is not in the index',
  rejected: 'documents that the search engine refused, within the gate’s limit',
  termsChanged: 'documents that another list of sensitive terms decides since',
} as const;

export type FaultKind = keyof typeof faults;
export type ExpectedKind = keyof typeof expectedDifferences;
export type FindingKind = FaultKind | ExpectedKind;

export interface Finding {
  readonly kind: FindingKind;
  /** Table or index. */
  readonly place: string;
  /** The record's key as the configuration names it, or a document's id. */
  readonly key: string;
  /** The row's id in the API database; null where there is none. */
  readonly id: string | null;
  /** Columns or fields that differ. */
  readonly columns: readonly string[];
}

export function isFault(kind: FindingKind): kind is FaultKind {
  return Object.hasOwn(faults, kind);
}

/** All findings of one kind. */
export interface FindingGroup {
  readonly kind: FindingKind;
  readonly count: number;
  /** The first ones. */
  readonly first: readonly Finding[];
}

/** Counts findings, keeps the first ones of each kind, and hands all of them on. */
export class Findings {
  readonly #counts = new Map<FindingKind, number>();
  readonly #first = new Map<FindingKind, Finding[]>();

  /**
   * @param keptMax of each kind.
   * @param onFinding awaited, so that a slow disk slows the comparison down instead of filling memory.
   */
  constructor(
    private readonly keptMax: number,
    private readonly onFinding: (finding: Finding) => Promise<void> | void,
  ) {}

  async add(finding: Finding): Promise<void> {
    const { kind } = finding;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const first = this.#first.get(kind) ?? [];
    this.#first.set(kind, first);
    if (first.length < this.keptMax) first.push(finding);
    await this.onFinding(finding);
  }

  get hasFaults(): boolean {
    return [...this.#counts.keys()].some(isFault);
  }

  /** Of the kinds that were found: faults first, in the order in which they are declared. */
  groups(): FindingGroup[] {
    const kinds = [...Object.keys(faults), ...Object.keys(expectedDifferences)] as FindingKind[];
    return kinds.flatMap((kind) => {
      const count = this.#counts.get(kind) ?? 0;
      return count === 0 ? [] : [{ kind, count, first: this.#first.get(kind) ?? [] }];
    });
  }
}
