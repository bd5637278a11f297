import type { Session } from '../../src/postgres/session.js';
import type { RecordRandom } from '../../src/sample/random.js';
import type { Lane } from './lane.js';
import type { Media } from './model/media.js';

interface LiveRecord {
  readonly id: string;
  readonly identifier: string;
}

/**
 * What users and moderators of the API do, the way the API does it: database first, then the documents behind both aliases. No record is touched
 * twice in a round, so that what has to come of each is plain.
 */
export class ApiWriters {
  private readonly touched = new Set<string>();
  /** Records that are live before the run: what it adds is left alone, so that its new ids have no gaps. */
  private known: ReadonlySet<string> | null = null;
  /** Identifiers that are listed as deleted although their rows were left. */
  readonly leftRows = new Set<string>();

  constructor(
    private readonly lane: Lane,
    private readonly media: Media,
    private readonly random: RecordRandom,
  ) {}

  /** A record is deleted: its list entries, its row, its documents; its identifier is listed. */
  async deleteRecords(count: number): Promise<void> {
    for (const { id, identifier } of await this.choose(count)) {
      await this.lane.local.withApi((session) =>
        session.query(
          `begin; delete from public.${this.media}list_${this.media}s where ${this.media}_id = ${id};
           delete from public.${this.media} where identifier = '${identifier}'; ${this.listing(identifier)}; commit`,
        ),
      );
      await this.changeDocuments(id, 'DELETE');
    }
  }

  /** A record is listed as deleted, its row is left for the refresh. No list refers to it. */
  async deleteLater(count: number): Promise<void> {
    const unlisted = `not exists (select from public.${this.media}list_${this.media}s e where e.${this.media}_id = m.id)`;
    for (const { identifier } of await this.choose(count, unlisted)) {
      this.leftRows.add(identifier);
      await this.lane.local.withApi((session) => session.query(this.listing(identifier)));
    }
  }

  /** A deletion is taken back: the record returns with the next refresh. */
  async withdrawDeletions(count: number): Promise<void> {
    await this.lane.local.withApi(async (session) => {
      const { rows } = await session.query<{ identifier: string }>(
        `select identifier::text from public.api_deleted${this.media} order by identifier`,
      );
      const open = rows.filter(({ identifier }) => !this.touched.has(identifier));
      for (const { identifier } of this.take(open, count)) {
        await session.query(`delete from public.api_deleted${this.media} where identifier = '${identifier}'`);
      }
    });
  }

  async markRecords(count: number): Promise<void> {
    const unmarked = `not exists (select from public.api_mature${this.media} s where s.identifier = m.identifier)`;
    for (const { id, identifier } of await this.choose(count, unmarked)) {
      await this.lane.local.withApi((session) =>
        session.query(
          `insert into public.api_mature${this.media} (identifier, created_on) values ('${identifier}', now())`,
        ),
      );
      await this.changeDocuments(id, 'POST', { doc: { mature: true } });
    }
  }

  /** A mark is taken back from records that do not call themselves mature. */
  async unmarkRecords(count: number): Promise<void> {
    const marked = `m.meta_data -> 'mature' is null and exists (select from public.api_mature${this.media} s where s.identifier = m.identifier)`;
    for (const { id, identifier } of await this.choose(count, marked)) {
      await this.lane.local.withApi((session) =>
        session.query(`delete from public.api_mature${this.media} where identifier = '${identifier}'`),
      );
      await this.changeDocuments(id, 'POST', { doc: { mature: false } });
    }
  }

  /** A user puts records into a list of hers, among them such as the catalog has no more. */
  async listRecords(count: number): Promise<void> {
    const records = await this.choose(count);
    const slug = `list-${this.touched.size}`;
    await this.lane.local.withApi(async (session) => {
      await session.query(
        `insert into public.${this.media}list (created_on, updated_on, title, slug, auth) values (now(), now(), 'A list', '${slug}', 'x')`,
      );
      for (const { identifier } of records) {
        await session.query(
          `insert into public.${this.media}list_${this.media}s (${this.media}list_id, ${this.media}_id)
           select l.id, m.id from public.${this.media}list l, public.${this.media} m where slug = '${slug}' and identifier = '${identifier}'`,
        );
      }
    });
  }

  async viewRecords(count: number): Promise<void> {
    await this.update(count, 'view_count = coalesce(view_count, 0) + 7');
  }

  async renameRecords(count: number): Promise<void> {
    await this.update(
      count,
      `title = 'Renamed lighthouse ' || id, meta_data = '{"description":"Seen by hand"}'`,
    );
  }

  private async update(count: number, change: string): Promise<void> {
    const identifiers = (await this.choose(count)).map(({ identifier }) => identifier);
    await this.lane.local.withApi((session) =>
      session.query(`update public.${this.media} set ${change} where identifier = any ($1::uuid[])`, [
        identifiers,
      ]),
    );
  }

  private listing(identifier: string): string {
    return `insert into public.api_deleted${this.media} (identifier, created_on, updated_on) values ('${identifier}', now(), now())`;
  }

  /** Live records that nothing was done to yet. */
  private async choose(count: number, condition = 'true'): Promise<LiveRecord[]> {
    const rows = await this.lane.local.withApi(async (session) => {
      this.known ??= new Set(
        (await readLiveRecords(session, this.media, 'true')).map(({ identifier }) => identifier),
      );
      return readLiveRecords(session, this.media, condition);
    });
    return this.take(
      rows.filter(({ identifier }) => !this.touched.has(identifier) && this.known?.has(identifier) === true),
      count,
    );
  }

  private take<T extends { readonly identifier: string }>(list: readonly T[], count: number): T[] {
    const open = [...list];
    const taken: T[] = [];
    while (taken.length < count && open.length > 0) {
      taken.push(...open.splice(this.random.below(open.length), 1));
    }
    for (const { identifier } of taken) this.touched.add(identifier);
    return taken;
  }

  /** Documents that an index does not have are none of the writer's business. */
  private async changeDocuments(id: string, method: 'DELETE' | 'POST', body?: unknown): Promise<void> {
    for (const alias of Object.values(this.lane.aliasOf(this.media))) {
      const path = `${alias}/${method === 'POST' ? '_update' : '_doc'}/${id}?refresh=true`;
      const answer = await this.lane.local.search<{ status?: number; error?: unknown }>(path, {
        method,
        body,
      });
      if (answer.error !== undefined && answer.status !== 404)
        throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    }
  }
}

/** Those that the last refresh brought are as good as any. */
async function readLiveRecords(session: Session, media: Media, condition: string): Promise<LiveRecord[]> {
  const { rows } = await session.query<LiveRecord>(
    `select m.id::text, m.identifier::text from public.${media} m where ${condition} order by m.identifier`,
  );
  return rows;
}
