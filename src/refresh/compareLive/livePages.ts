import { to as copyTo } from 'pg-copy-streams';
import { openLineReader, type LineReader } from '../../indexing/rowSource.js';
import { selectionOf } from '../../indexing/indexSlice.js';
import { markExpression, type RowSelection } from '../../indexing/sliceQuery.js';
import type { MediaConfig, TableMapping } from '../../config/types.js';
import { verifyPageRows } from '../../limits.js';
import { copyLines, decodeField } from '../../postgres/copyText.js';
import { parseQualifiedName, quoteIdentifier, quoteQualified } from '../../postgres/identifiers.js';
import { withTransaction, type Session } from '../../postgres/session.js';
import { findRelation } from '../../postgres/tempTable.js';
import { liveNameOf } from '../tables.js';
import { fieldsOfLine } from './catalogRows.js';
import type { ComparedColumns } from './rowColumns.js';

/** A row of a live table. */
export interface LiveRow {
  readonly id: string;
  /** Its identifier, where it has one. */
  readonly identifier: string | null;
  /** It is listed as deleted now. */
  readonly isListed: boolean;
  /** The values of `ComparedColumns.names`, as COPY writes them. */
  readonly compared: readonly Buffer[];
  /** For a `LineReader`. */
  readonly line: Buffer;
}

/** Somebody promoted, or replaced the table by hand. */
export class TableReplaced extends Error {}

/**
 * Reads a live table page by page, by id. Each page is a short transaction: a reader of hours would hold up every swap of the table, and its
 * vacuum. Rows of a live table do not change but by the API's deletions, so that the pages need no common snapshot.
 */
export class LivePages {
  private constructor(
    private readonly session: Session,
    private readonly mapping: TableMapping,
    private readonly oid: number,
    private readonly columns: ComparedColumns,
    private readonly selection: RowSelection,
    private readonly hasIdentifier: boolean,
    /** Null for a table that is not indexed. */
    readonly reader: LineReader | null,
  ) {}

  /** @param media of the main table, whose rows have documents; null for another one. */
  static async open(
    session: Session,
    table: { readonly mapping: TableMapping; readonly oid: number },
    columns: ComparedColumns,
    media: MediaConfig | null,
  ): Promise<LivePages> {
    const { mapping, oid } = table;
    const name = liveNameOf(mapping);
    const selection: RowSelection =
      media === null
        ? {
            table: name,
            idColumn: mapping.idColumn,
            columns: [],
            removedColumn: null,
            deletedMediaTable: null,
            sensitiveMediaTable: null,
            runId: null,
          }
        : selectionOf(media, name, null);
    const reader = media === null ? null : await openLineReader(session, selection);
    const hasIdentifier = mapping.deletedMediaTable !== null || media?.sensitiveMediaTable != null;
    return new LivePages(session, mapping, oid, columns, selection, hasIdentifier, reader);
  }

  /** The rows after the id; fewer than `verifyPageRows` are the last ones. Throws TableReplaced. */
  async after(id: string | null): Promise<LiveRow[]> {
    const column = `t.${quoteIdentifier(this.mapping.idColumn)}`;
    const bound = id === null ? '' : ` where ${column} > ${BigInt(id)}`;
    return this.#read(`${bound} order by ${column} limit ${verifyPageRows}`);
  }

  /** The rows with these ids, as they are now. Throws TableReplaced. */
  async only(ids: readonly string[]): Promise<LiveRow[]> {
    if (ids.length === 0) return [];
    const column = `t.${quoteIdentifier(this.mapping.idColumn)}`;
    return this.#read(` where ${column} = any('{${ids.map(BigInt).join(',')}}'::bigint[])`);
  }

  /** How many rows the planner expects. */
  async estimate(): Promise<number> {
    const { rows } = await this.session.query<{ rows: number }>(
      'select greatest(reltuples, 0)::float8 as rows from pg_class where oid = $1',
      [this.oid],
    );
    return rows[0]?.rows ?? 0;
  }

  async #read(tail: string): Promise<LiveRow[]> {
    const select = `${this.#select()}${tail}`;
    return withTransaction(
      this.session,
      async () => {
        const rows: LiveRow[] = [];
        const stream = this.session.query(copyTo(`copy (${select}) to stdout`));
        for await (const lines of copyLines(stream as AsyncIterable<Buffer>)) {
          for (const line of lines) rows.push(this.#toRow(line));
        }
        // After the read, whose lock keeps a swap away until the end of this transaction.
        if ((await findRelation(this.session, liveNameOf(this.mapping))) !== this.oid)
          throw new TableReplaced();
        return rows;
      },
      'begin isolation level read committed read only',
    );
  }

  #select(): string {
    const { idColumn, deletedMediaTable } = this.mapping;
    const column = (name: string): string => `t.${quoteIdentifier(name)}`;
    const isListed =
      deletedMediaTable === null
        ? 'false'
        : `exists (select from ${quoteQualified(parseQualifiedName(deletedMediaTable))} l where l.identifier = t.identifier)`;
    const fields = [
      markExpression(this.selection),
      column(idColumn),
      ...this.selection.columns.map(column),
      isListed,
      this.hasIdentifier ? 't.identifier' : 'null',
      ...this.columns.names.map(column),
    ];
    return `select ${fields.join(', ')} from ${quoteQualified(liveNameOf(this.mapping))} t`;
  }

  #toRow(line: Buffer): LiveRow {
    const fields = fieldsOfLine(line);
    const start = 2 + this.selection.columns.length;
    const identifier = fields[start + 1] ?? Buffer.alloc(0);
    return {
      id: fields[1]?.toString('latin1') ?? '',
      identifier: decodeField(identifier, 0, identifier.length),
      isListed: fields[start]?.[0] === 0x74,
      compared: fields.slice(start + 2),
      line,
    };
  }
}
