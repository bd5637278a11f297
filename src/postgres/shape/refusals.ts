import type { Session } from '../session.js';

/**
 * One query per kind of object that cannot be carried yet; each gives the names of what it finds on the table `$1`. A kind that is
 * learnt to be carried leaves this list. `label` is the table's name as it is shown.
 */
const label = `(select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1)`;

const rules = `select 'rule ' || quote_ident(r.rulename) || ' on ' || r.ev_class::regclass::text
  from pg_rewrite r where r.rulename <> '_RETURN' and (r.ev_class = $1 or exists (
    select from pg_depend d where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
      and d.refclassid = 'pg_class'::regclass and d.refobjid = $1))`;

const policiesReading = `select distinct 'policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass::text || ', which reads ' || ${label}
  from pg_policy p join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
  where d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and p.polrelid <> $1`;

const triggersReading = `select distinct 'trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass::text || ', which reads ' || ${label}
  from pg_trigger t join pg_depend d on d.classid = 'pg_trigger'::regclass and d.objid = t.oid
  where d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and t.tgrelid <> $1 and not t.tgisinternal`;

/** Triggers that a constraint brings fire or not as it was made: a change of that cannot be told by a statement without their generated names. */
const constraintTriggers = `select distinct 'changed state of the triggers of constraint ' || quote_ident(k.conname) || ' on ' || k.conrelid::regclass::text
  from pg_constraint k join pg_trigger g on g.tgconstraint = k.oid
  where (k.conrelid = $1 or k.confrelid = $1) and g.tgisinternal and g.tgenabled <> 'O'`;

const extensionDependents = `select distinct pg_describe_object(d.classid, d.objid, d.objsubid) || ' of ' || ${label} || ', which depends on extension '
    || quote_ident(e.extname)
  from pg_depend d join pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
  where d.deptype = 'x' and ((d.classid = 'pg_trigger'::regclass and d.objid in (select oid from pg_trigger where tgrelid = $1))
    or (d.classid = 'pg_class'::regclass and d.objid in (select indexrelid from pg_index where indrelid = $1)))`;

const subscriptions = `select 'subscription ' || quote_ident(s.subname) || ', which writes ' || ${label}
  from pg_subscription_rel r join pg_subscription s on s.oid = r.srsubid where r.srrelid = $1`;

const kinds = `select case
    when relkind = 'p' then 'partitioned table ' when relkind = 'f' then 'foreign table '
    when relkind = 'v' then 'view ' when relkind = 'm' then 'materialized view '
    when relkind <> 'r' then 'relation of another kind ' when relpersistence = 'u' then 'unlogged table '
    when relpersistence = 't' then 'temporary table ' when relispartition then 'partition ' else 'typed table ' end || ${label}
  from pg_class where oid = $1 and (relkind <> 'r' or relpersistence <> 'p' or relispartition or reloftype <> 0)`;

const inheritance = `select 'inheritance of ' || inhrelid::regclass::text || ' from ' || inhparent::regclass::text
  from pg_inherits where inhrelid = $1 or inhparent = $1`;

const materializedViews = `
  (with recursive readers(oid) as (
    select $1::oid union
    select r.ev_class from readers join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = readers.oid
      and d.classid = 'pg_rewrite'::regclass join pg_rewrite r on r.oid = d.objid)
  select 'materialized view ' || c.oid::regclass::text || ', which reads ' || ${label}
  from readers join pg_class c on c.oid = readers.oid where c.relkind = 'm' and c.oid <> $1)`;

/** Postgres 18: WITHOUT OVERLAPS, PERIOD, NOT ENFORCED, and NOT NULL that is not valid. */
const newerConstraints = `select case
    when (to_jsonb(k) ->> 'conperiod')::bool then 'temporal constraint '
    when not coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) then 'constraint that is not enforced, '
    else 'NOT NULL constraint that is not valid, ' end || quote_ident(conname) || ' on ' || conrelid::regclass::text
  from pg_constraint k where (conrelid = $1 or confrelid = $1) and ((to_jsonb(k) ->> 'conperiod')::bool
    or not coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) or (contype = 'n' and not convalidated))`;

/** A key of a partitioned table cannot be added NOT VALID before Postgres 18. */
const partitionedKeys = `select 'foreign key ' || quote_ident(k.conname) || ' of the partitioned table ' || k.conrelid::regclass::text
  from pg_constraint k join pg_class c on c.oid = k.conrelid
  where k.confrelid = $1 and k.contype = 'f' and (c.relkind = 'p' or c.relispartition) and k.conparentid = 0`;

const invalidIndexes = `select 'invalid index ' || indexrelid::regclass::text || ' on ' || ${label}
  from pg_index where indrelid = $1 and not (indisvalid and indisready)`;

/** The index that it named was dropped. */
const replicaIdentity = `select 'replica identity of ' || ${label} || ', whose index is gone' from pg_class c
  where c.oid = $1 and c.relreplident = 'i' and not exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)`;

const securityLabels = `select distinct 'security label of ' || ${label}
  from pg_seclabel where classoid = 'pg_class'::regclass and objoid = $1`;

const extensions = `select 'membership of ' || ${label} || ' in extension ' || quote_ident(e.extname)
  from pg_depend d join pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
  where d.classid = 'pg_class'::regclass and d.objid = $1 and d.deptype = 'e'`;

const descendingSequences = `select 'descending sequence ' || q.seqrelid::regclass::text || ' of ' || ${label}
  from pg_sequence q where q.seqincrement < 0 and (exists (select from pg_attrdef f
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
    where f.adrelid = $1 and d.refclassid = 'pg_class'::regclass and d.refobjid = q.seqrelid)
    or exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = q.seqrelid
      and d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and d.deptype = 'i'))`;

/**
 * Whatever else depends on the table, its columns, row type, constraints or indexes: functions, types, columns of its row type and kinds
 * that a later Postgres brings. An unknown dependent would keep pointing at the old table, so it is refused.
 */
const otherDependents = `
  (with own(classid, objid) as (
    select 'pg_class'::regclass::oid, $1::oid
    union all select 'pg_type'::regclass::oid, t.oid from pg_type t where t.typrelid = $1
    union all select 'pg_type'::regclass::oid, t.typarray from pg_type t where t.typrelid = $1 and t.typarray <> 0
    union all select 'pg_constraint'::regclass::oid, k.oid from pg_constraint k where k.conrelid = $1
    union all select 'pg_class'::regclass::oid, i.indexrelid from pg_index i where i.indrelid = $1)
  select distinct pg_describe_object(d.classid, d.objid, d.objsubid) || ', which depends on ' || ${label}
  from own join pg_depend d on d.refclassid = own.classid and d.refobjid = own.objid
  where not exists (select from own o where o.classid = d.classid and o.objid = d.objid)
    and not (d.classid = 'pg_attrdef'::regclass and exists (select from pg_attrdef f where f.oid = d.objid and f.adrelid = $1))
    and not (d.classid = 'pg_constraint'::regclass and exists (
      select from pg_constraint k where k.oid = d.objid and (k.conrelid = $1 or (k.contype = 'f' and k.confrelid = $1))))
    and not (d.classid in ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_statistic_ext'::regclass,
      'pg_publication_rel'::regclass) and own.classid <> 'pg_type'::regclass)
    and not (d.classid = 'pg_class'::regclass and own.classid = 'pg_class'::regclass and exists (
      select from pg_class c where c.oid = d.objid and c.relkind in ('S', 't', 'r', 'p', 'f'))))`;

const refusals = [
  kinds,
  inheritance,
  extensions,
  triggersReading,
  rules,
  policiesReading,
  constraintTriggers,
  extensionDependents,
  subscriptions,
  newerConstraints,
  partitionedKeys,
  invalidIndexes,
  materializedViews,
  replicaIdentity,
  securityLabels,
  descendingSequences,
  otherDependents,
];

const refusalQuery = refusals
  .map((query) => `select * from (${query}) as found(feature)`)
  .join('\nunion all\n');

/** Reads what of the table cannot be carried to another one, each by name. */
export async function readUnsupported(session: Session, oid: number): Promise<string[]> {
  const { rows } = await session.query<{ feature: string }>(refusalQuery, [oid]);
  return [...new Set(rows.map(({ feature }) => feature))];
}
