/**
 * A row of a table as a document builder sees it, one property per column:
 * smallint, integer, real, double precision, and bigint within ±2^53 → number (a bigint beyond → its decimal text; NaN and infinities → null);
 * boolean → boolean; json, jsonb → the parsed value; timestamptz, timestamp → ISO 8601 text with its offset, null when the search engine
 * cannot hold the date (years outside 0–9999, infinity); arrays of text → string[]; every other type → Postgres' text. SQL null → null.
 */
export type SourceRow = Readonly<Record<string, unknown>>;

/** What the worker knows about a row beyond its columns. */
export interface RowFacts {
  /** The row's identifier is in the sensitive-media table. */
  readonly sensitive: boolean;
}

/** A search document: the `_source` that is sent to the engine. Null, empty lists and empty objects are already left out. */
export type SearchDocument = Readonly<Record<string, unknown>>;

/** Turns one row into one document. Pure; may throw, and then the row is a reject with that reason. */
export type DocumentBuilder = (row: SourceRow, facts: RowFacts) => SearchDocument;

/** How a media type's rows become documents. */
export interface DocumentDefinition {
  /** Changes whenever the builder's output may change: workers of one run must agree on it. */
  readonly version: string;
  /** The downstream columns that the builder reads. `id` and the skip columns are read besides. */
  readonly columns: readonly string[];
  readonly build: DocumentBuilder;
}
