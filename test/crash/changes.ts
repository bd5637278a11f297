import type { Session } from '../../src/postgres/session.js';
import { makeRecord } from '../../src/sample/fillCatalog.js';
import { RecordRandom } from '../../src/sample/random.js';
import { adjectives, nouns } from '../../src/sample/words.js';
import { ApiWriters } from './apiWriters.js';
import type { Lane } from './lane.js';
import type { Flow } from './matrix.js';
import type { Media } from './model/media.js';

/** Records of a round begin here: no other one has their identifiers and URLs. */
const firstNewIndex = 20_000;

/** What is different from the template when a round's run begins, chosen by its number. */
export class Changes {
  readonly writers: ApiWriters;
  private readonly random: RecordRandom;

  constructor(
    private readonly lane: Lane,
    private readonly media: Media,
    private readonly flow: Flow,
    private readonly seed: number,
    number: number,
  ) {
    this.random = new RecordRandom(seed, media === 'image' ? 11 : 12, number);
    this.writers = new ApiWriters(lane, media, this.random);
  }

  /** The catalog and the API go on between two refreshes. @returns the sensitive terms from now on. */
  async make(): Promise<string[]> {
    await this.lane.local.withCatalog(async (session) => {
      const identifiers = await listIdentifiers(session, this.media);
      await this.deleteRecords(session, this.take(identifiers, 8));
      await this.changeRecords(session, this.take(identifiers, 12));
      await this.addRecords(session, 8);
    });
    await this.useApi();
    const terms = this.chooseTerms();
    await this.lane.writeTerms(terms);
    return terms;
  }

  /** Records of the catalog are corrected after a run was refused, before it copies again. */
  async correct(): Promise<void> {
    await this.lane.local.withCatalog(async (session) => {
      const identifiers = await listIdentifiers(session, this.media);
      await this.deleteRecords(session, this.take(identifiers, 4));
      await this.changeRecords(session, this.take(identifiers, 6));
    });
  }

  /** API writers go on. @param isQuiet nobody executes the run meanwhile, and its tables are not live yet. */
  async write(isQuiet: boolean): Promise<void> {
    const { writers, flow } = this;
    await writers.deleteRecords(2);
    await writers.markRecords(2);
    await writers.unmarkRecords(1);
    await writers.listRecords(2);
    if (isQuiet && flow !== 'filtered-index' && flow !== 'cancel') await writers.deleteLater(1);
  }

  /** So many of a list, which lacks them afterwards. */
  private take<T>(list: T[], count: number): T[] {
    return Array.from({ length: Math.min(count, list.length) }, () =>
      list.splice(this.random.below(list.length), 1),
    ).flat();
  }

  private async deleteRecords(catalog: Session, identifiers: readonly string[]): Promise<void> {
    await catalog.query(`delete from public.${this.media} where identifier = any ($1::uuid[])`, [
      identifiers,
    ]);
  }

  /** Each gets what an awkward record of the sample has, where that is not unique; some are removed from their source. */
  private async changeRecords(catalog: Session, identifiers: readonly string[]): Promise<void> {
    for (const [place, identifier] of identifiers.entries()) {
      const { tags, meta_data, title, created_on, standardized_popularity } = makeRecord(
        this.media,
        this.seed,
        this.random.below(400),
      );
      await catalog.query(
        `update public.${this.media} set tags = $2, meta_data = $3, title = $4, created_on = $5, standardized_popularity = $6,
           url = case when $7 then 'https://changed.example.org/' || identifier || '.SVG' else url end,
           removed_from_source = removed_from_source <> $8, updated_on = now() where identifier = $1`,
        [
          identifier,
          tags,
          meta_data,
          title,
          created_on,
          standardized_popularity,
          place % 3 === 0,
          place % 4 === 0,
        ],
      );
    }
    if (this.media !== 'audio') return;
    await catalog.query(
      `update public.audio set audio_set = audio_set || jsonb_build_object('title', 'Renamed ' || identifier), set_position = 77
       where identifier = any ($1::uuid[]) and jsonb_typeof(audio_set) = 'object'`,
      [identifiers],
    );
  }

  private async addRecords(catalog: Session, count: number): Promise<void> {
    for (let index = firstNewIndex; index < firstNewIndex + count; index += 1) {
      const record = makeRecord(this.media, this.seed, index) as unknown as Record<string, unknown>;
      const names = Object.keys(record);
      await catalog.query(
        `insert into public.${this.media} (${names.join(', ')}) values (${names.map((_name, place) => `$${place + 1}`).join(', ')})`,
        Object.values(record),
      );
    }
  }

  private async useApi(): Promise<void> {
    const { writers, flow } = this;
    await writers.deleteRecords(3);
    await writers.markRecords(3);
    await writers.unmarkRecords(2);
    await writers.listRecords(6);
    await writers.viewRecords(10);
    if (flow === 'filtered-index') return;
    await writers.deleteLater(2);
    if (flow === 'rollback') return;
    await writers.withdrawDeletions(1);
    if (flow === 'skip-copy') await writers.renameRecords(8);
  }

  /** Single words and a phrase that titles have, upper case, a word with another ending, and one that nothing has. */
  private chooseTerms(): string[] {
    const { random } = this;
    const [noun, phrase] = [random.pick(nouns), `${random.pick(adjectives)} ${random.pick(nouns)}`];
    return [
      noun.toUpperCase(),
      phrase,
      `${random.pick(adjectives)}er`,
      random.pick(nouns),
      'nowhere-to-be-found',
    ];
  }
}

async function listIdentifiers(catalog: Session, media: Media): Promise<string[]> {
  const { rows } = await catalog.query<{ identifier: string }>(
    `select identifier::text from public.${media} order by identifier`,
  );
  return rows.map(({ identifier }) => identifier);
}
