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

/** The sequence behind an identity column, which nothing else can own. */
export interface IdentityShape {
  readonly kind: 'always' | 'by default';
  readonly oid: number;
  readonly name: QualifiedName;
  /** What a sequence is told at its creation, as SQL writes it: `increment by 1 minvalue 1 …`. */
  readonly options: string;
  readonly comment: string | null;
  readonly grants: readonly Grant[];
  /** Where it stood when it was read, as text; null = never used. No part of a comparison. */
  readonly lastValue: string | null;
}

/** A column, with everything that `create table … (like …)` copies and what has to be set beside it. */
export interface ColumnShape {
  readonly name: string;
  /** With its modifier, as `format_type` tells it. */
  readonly type: string;
  readonly collation: string | null;
  /** The default, or what a generated column is made of. */
  readonly defaultExpression: string | null;
  readonly generated: 'stored' | 'virtual' | null;
  readonly identity: IdentityShape | null;
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
  readonly type: 'primary key' | 'unique' | 'exclusion';
  /** What `pg_get_constraintdef` says of an exclusion constraint, which names no table; null for the others. */
  readonly definition: string | null;
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
  readonly replicaIdentity: boolean;
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

/** A trigger that somebody made; those that foreign keys bring are made with them. */
export interface TriggerShape {
  readonly name: string;
  /** What `pg_get_triggerdef` says before the table: `CREATE TRIGGER x BEFORE UPDATE OF a`. */
  readonly head: string;
  /** What it says after the table: `FOR EACH ROW …`; null where the text before it is not the expected one. */
  readonly tail: string | null;
  /** `O` fires, `D` does not, `R` fires for replicated changes only, `A` for all. */
  readonly enabled: 'O' | 'D' | 'R' | 'A';
  readonly comment: string | null;
  /** Of the constraint that a constraint trigger is as well. */
  readonly constraintComment: string | null;
}

export interface PolicyShape {
  readonly name: string;
  readonly permissive: boolean;
  readonly command: 'all' | 'select' | 'insert' | 'update' | 'delete';
  /** Null stands for PUBLIC. */
  readonly roles: readonly (string | null)[];
  readonly using: string | null;
  readonly check: string | null;
  readonly comment: string | null;
}

/** A publication that names the table. */
export interface PublicationShape {
  readonly oid: number;
  readonly name: string;
  /** Null = all. */
  readonly columns: readonly string[] | null;
  readonly filter: string | null;
}

/** A statistics object over several columns or expressions of the table. */
export interface StatisticsShape {
  readonly oid: number;
  readonly name: QualifiedName;
  readonly owner: string;
  /** `ndistinct`, `dependencies`, `mcv`; none where it is about a single expression. */
  readonly kinds: readonly string[];
  /** Columns and expressions, as SQL writes them. */
  readonly columns: string;
  readonly target: number | null;
  readonly comment: string | null;
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
  readonly triggers: readonly TriggerShape[];
  readonly rowSecurity: boolean;
  /** Row security for the owner as well. */
  readonly rowSecurityForced: boolean;
  readonly policies: readonly PolicyShape[];
  /** `index`: the one that says so of itself. */
  readonly replicaIdentity: 'default' | 'full' | 'nothing' | 'index';
  readonly publications: readonly PublicationShape[];
  readonly statistics: readonly StatisticsShape[];
  /** What cannot be carried to another table, each by name: `rule x on public.image`. */
  readonly unsupported: readonly string[];
}
