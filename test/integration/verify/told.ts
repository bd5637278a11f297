/** What `freshet verify --json` says. */
export interface Verified {
  readonly equal: boolean;
  readonly tables: readonly {
    readonly table: string;
    readonly catalogRows: number;
    readonly liveRows: number;
    readonly columnsCompared: readonly string[];
    readonly columnsNotCompared: readonly string[];
    readonly snapshotAt: string | null;
    readonly recordLimit: number | null;
  }[];
  readonly index: string;
  readonly filteredIndex: string | null;
  readonly faults: readonly Group[];
  readonly expected: readonly Group[];
}

export interface Group {
  readonly kind: string;
  readonly count: number;
  readonly first: readonly {
    readonly place: string;
    readonly key: string;
    readonly id: string | null;
    readonly columns: readonly string[];
  }[];
}

/** Kind, place, key and columns of everything that was told, sorted. */
export function listTold(groups: readonly Group[]): string[] {
  return groups
    .flatMap(({ kind, first }) =>
      first.map(({ place, key, columns }) => [kind, place, key, ...columns].join(' ')),
    )
    .sort();
}
