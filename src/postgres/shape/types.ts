import type { QualifiedName } from '../identifiers.js';

/** A right that somebody holds on a table or on one of its columns. */
export interface Grant {
  /** Column, or null for the table. */
  readonly column: string | null;
  /** Role, or null for PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

/** A column, with everything that `create table … (like …)` copies and what has to be set beside it. */
export interface ColumnShape {
  readonly name: string;
  /** With its modifier, as `format_type` tells it. */
  readonly type: string;
  readonly collation: string | null;
  readonly defaultExpression: string | null;
  readonly notNull: boolean;
  readonly storage: string;
  readonly compression: string;
  readonly statisticsTarget: number | null;
  /** Attribute options, `n_distinct=…`. */
  readonly options: readonly string[];
  readonly comment: string | null;
}

/** The constraint that an index stands behind. */
export interface KeyConstraint {
  readonly type: 'primary key' | 'unique';
  readonly deferrable: boolean;
  readonly initiallyDeferred: boolean;
  readonly comment: string | null;
}

interface IndexColumnStatistics {
  readonly position: number;
  readonly target: number;
}

export interface IndexShape {
  readonly oid: number;
  readonly name: string;
  readonly unique: boolean;
  /** What follows `create [unique] index <name> on <table> ` in `pg_get_indexdef`; null where the text before it is not the expected one. */
  readonly definition: string | null;
  /** Key columns or expressions, for the query that names duplicates. */
  readonly keys: readonly string[];
  readonly predicate: string | null;
  readonly nullsNotDistinct: boolean;
  readonly tablespace: string | null;
  readonly clustered: boolean;
  readonly valid: boolean;
  readonly comment: string | null;
  readonly statistics: readonly IndexColumnStatistics[];
  readonly constraint: KeyConstraint | null;
}

/** A CHECK, or (Postgres 18) a named NOT NULL. */
export interface CheckShape {
  readonly name: string;
  readonly type: 'check' | 'not null';
  readonly definition: string;
  readonly valid: boolean;
  readonly comment: string | null;
}

export interface ForeignKeyShape {
  readonly name: string;
  /** The table that has the key. */
  readonly table: QualifiedName;
  readonly tableOid: number;
  /** The table that it points at. */
  readonly target: QualifiedName;
  readonly targetOid: number;
  readonly columns: readonly string[];
  readonly targetColumns: readonly string[];
  /** Qualified equality operators, one per column: `pg_catalog.=`. */
  readonly operators: readonly string[];
  /** What `pg_get_constraintdef` says, without NOT VALID. */
  readonly definition: string;
  /** What follows the target's columns: match, actions, deferrability; null where the text before it is not the expected one. */
  readonly tail: string | null;
  readonly valid: boolean;
  readonly enforced: boolean;
  readonly comment: string | null;
}

export interface ViewShape {
  readonly oid: number;
  readonly name: QualifiedName;
  readonly owner: string;
  readonly definition: string;
  readonly options: readonly string[];
}

/** A sequence that a column owns or that its default calls. */
export interface SequenceShape {
  readonly oid: number;
  readonly name: QualifiedName;
  /** The column whose default calls it, or null. */
  readonly defaultOf: string | null;
  /** The column that owns it, or null: a predecessor's sequence belongs to nobody. */
  readonly ownedBy: string | null;
  /** A column of another table owns it. */
  readonly ownedElsewhere: boolean;
}

/** Everything that readers and writers of a table can tell it from another by. Rows are no part of it. */
export interface TableShape {
  readonly name: QualifiedName;
  readonly oid: number;
  readonly owner: string;
  readonly accessMethod: string | null;
  readonly tablespace: string | null;
  readonly comment: string | null;
  /** Storage parameters, `fillfactor=70`; those of the TOAST table begin with `toast.`. */
  readonly options: readonly string[];
  readonly columns: readonly ColumnShape[];
  readonly indexes: readonly IndexShape[];
  readonly checks: readonly CheckShape[];
  /** Keys of this table. */
  readonly outboundKeys: readonly ForeignKeyShape[];
  /** Keys of other tables (or itself) that point here. */
  readonly inboundKeys: readonly ForeignKeyShape[];
  readonly views: readonly ViewShape[];
  readonly sequences: readonly SequenceShape[];
  readonly grants: readonly Grant[];
  /** What cannot be carried to another table, each by name: `trigger x on public.image`. */
  readonly unsupported: readonly string[];
}
