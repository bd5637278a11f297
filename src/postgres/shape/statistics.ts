import type { Session } from '../session.js';
import type { StatisticsShape } from './types.js';

interface StatisticsRow extends Omit<StatisticsShape, 'name'> {
  schema: string;
  objectName: string;
}

/** Reads the statistics objects of the table. Kind `e` (expressions) is never asked for: it comes by itself. */
export async function readStatistics(session: Session, tableOid: number): Promise<StatisticsShape[]> {
  const { rows } = await session.query<StatisticsRow>(
    `select s.oid, n.nspname as schema, s.stxname as "objectName", r.rolname as owner,
       array(select case k when 'd' then 'ndistinct' when 'f' then 'dependencies' when 'm' then 'mcv' else k::text end
         from unnest(s.stxkind) k where k <> 'e' order by k) as kinds,
       pg_get_statisticsobjdef_columns(s.oid) as columns,
       nullif(s.stxstattarget, -1)::int4 as target,
       obj_description(s.oid, 'pg_statistic_ext') as comment
     from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace join pg_roles r on r.oid = s.stxowner
     where s.stxrelid = $1 order by n.nspname, s.stxname collate "C"`,
    [tableOid],
  );
  return rows.map(({ schema, objectName, ...statistics }) => ({
    ...statistics,
    name: { schema, name: objectName },
  }));
}
