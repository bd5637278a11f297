import { withTransaction, type Session } from '../postgres/session.js';
import { scramble } from './random.js';
import { sampleMedia, type SampleMedia } from './types.js';

/** What `addApiActivity` did, per media type. */
export interface ApiActivity {
  readonly media: SampleMedia;
  readonly deleted: number;
  readonly sensitive: number;
  readonly listed: number;
}

/**
 * Does what users and moderators of the API do between two refreshes: deletes some records, marks some as sensitive, puts some into a list.
 * The same records for the same seed, about one in a hundred of each kind, among the API's first 10,000. Running it again adds nothing.
 */
export async function addApiActivity(session: Session, seed: number): Promise<ApiActivity[]> {
  return withTransaction(session, async () => {
    const done: ApiActivity[] = [];
    for (const media of sampleMedia) done.push(await addActivity(session, media, seed));
    return done;
  });
}

async function addActivity(session: Session, media: SampleMedia, seed: number): Promise<ApiActivity> {
  const [remainder, list] = [scramble(seed) % 50, `freshet-sample-${seed}`];
  // A hash of the identifier, so that the choice does not depend on ids. 0-99: which kind of activity.
  const chosen = (kind: number) =>
    `from (select id, identifier from public.${media} order by id limit 10000) m
     where mod(abs(hashtext(m.identifier::text))::bigint, 100) = ${(remainder + kind) % 100}`;
  const sensitive = await count(
    session,
    `insert into public.api_mature${media} (identifier, created_on) select m.identifier, now() ${chosen(50)} on conflict do nothing`,
  );
  await session.query(
    `insert into public.${media}list (created_on, updated_on, title, slug, auth)
     values (now(), now(), 'Sample list', $1, 'sample') on conflict (slug) do nothing`,
    [list],
  );
  const listed = await count(
    session,
    `insert into public.${media}list_${media}s (${media}list_id, ${media}_id)
     select l.id, m.id from public.${media}list l cross join lateral (select m.id ${chosen(25)}) m
     where l.slug = '${list}' and not exists
       (select from public.${media}list_${media}s e where e.${media}list_id = l.id and e.${media}_id = m.id)`,
  );
  const deleted = await deleteRecords(session, media, chosen(0));
  return { media, deleted, sensitive, listed };
}

/** The API deletes the row, and remembers its identifier so that no refresh brings it back. */
async function deleteRecords(session: Session, media: SampleMedia, chosen: string): Promise<number> {
  await session.query(
    `insert into public.api_deleted${media} (created_on, updated_on, identifier)
     select now(), now(), m.identifier ${chosen} on conflict do nothing`,
  );
  return count(
    session,
    `delete from public.${media} d using public.api_deleted${media} r where r.identifier = d.identifier
     and not exists (select from public.${media}list_${media}s e where e.${media}_id = d.id)`,
  );
}

async function count(session: Session, statement: string): Promise<number> {
  return (await session.query(statement)).rowCount ?? 0;
}
