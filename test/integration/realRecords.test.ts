import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { LocalEnvironment, type CommandOutcome } from '../setup/localEnvironment.js';

/** Real records of several providers, beside the project and no part of it. */
const file = fileURLToPath(new URL('../../../shared/data/catalog_image.csv', import.meta.url));

type CsvRecord = Readonly<Record<string, string>>;
type Json = Readonly<Record<string, unknown>>;

/**
 * A small model of what a refresh makes of the records, written from the specification and not from the product: the two must not share a
 * misunderstanding.
 */
class Model {
  readonly records: readonly CsvRecord[];

  constructor(text: string) {
    this.records = parse(text, { columns: true });
  }

  /** Those that become documents. */
  get indexed(): readonly CsvRecord[] {
    return this.records.filter((record) => !/^t/i.test(record['removed_from_source'] ?? ''));
  }

  tags(record: CsvRecord): Json[] {
    return record['tags'] ? (JSON.parse(record['tags']) as Json[]) : [];
  }

  keptTags(record: CsvRecord): Json[] {
    return this.tags(record).filter((tag) => !this.isDropped(tag));
  }

  private isDropped(tag: Json): boolean {
    if (typeof tag['name'] !== 'string') return true;
    if ('accuracy' in tag && !(Number(tag['accuracy']) >= 0.9)) return true;
    if (tag['provider'] === 'rekognition') return true;
    const name = tag['name'].toLowerCase();
    const whole = /^(no person|squareformat|uploaded:by=flickrmobile|uploaded:by=instagram|by)$/;
    return whole.test(name) || /flickriosapp|uploaded|:|=|cc0|by-nc|by-nd|by-sa|pdm/.test(name);
  }

  metaData(record: CsvRecord): Json {
    return record['meta_data'] ? (JSON.parse(record['meta_data']) as Json) : {};
  }

  authorityBoost(record: CsvRecord): number | null {
    const stated = this.metaData(record)['authority_boost'];
    if (stated !== undefined) return Math.min(100, Number(stated)) || null;
    const provider = record['provider'] ?? '';
    if (
      ['met', 'brooklynmuseum', 'rijksmuseum', 'smithsonian', 'clevelandmuseum', 'svgsilh'].includes(provider)
    )
      return 90;
    if (['stocksnap', 'rawpixel'].includes(provider)) return 85;
    return ['flickr', 'behance', 'thingiverse', 'sketchfab', 'deviantart'].includes(provider) ? 75 : null;
  }

  popularity(record: CsvRecord): number | null {
    return Math.min(100, Number(record['standardized_popularity']) * 100) || null;
  }

  isMature(record: CsvRecord): boolean {
    return String(this.metaData(record)['mature']) === 'true';
  }

  hasDescription(record: CsvRecord): boolean {
    return typeof this.metaData(record)['description'] === 'string';
  }

  aspectRatio(record: CsvRecord): string | null {
    const [width, height] = [record['width'], record['height']];
    if (!width || !height) return null;
    if (Number(width) === Number(height)) return 'square';
    return Number(width) > Number(height) ? 'wide' : 'tall';
  }

  size(record: CsvRecord): string | null {
    if (this.aspectRatio(record) === null) return null;
    const pixels = Number(record['width']) * Number(record['height']);
    return pixels < 307_200 ? 'small' : pixels < 1_440_000 ? 'medium' : 'large';
  }
}

function countBy<T>(all: Iterable<T>, valueOf: (one: T) => unknown): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of all) {
    const value = JSON.stringify(valueOf(one) ?? null);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

if (!existsSync(file)) it.skip('not run: no real records here');
else
  describe('real records, loaded from their CSV file', () => {
    const model = new Model(readFileSync(file, 'utf8'));
    let local: LocalEnvironment;
    let outcome: CommandOutcome;
    let documents: Map<string, Record<string, unknown>>;

    beforeAll(async () => {
      local = await LocalEnvironment.create(inject('parts'), { tables: false });
      outcome = await local.run(['load-sample-data', '--image', file, '--records', '600', '--json']);
      documents = await local.documents(local.aliases.image);
    });
    afterAll(() => local.drop());

    it('both refreshes end well and both aliases of both media answer with the expected counts', async () => {
      expect(outcome.status, outcome.stderr).toBe(0);
      const { refreshes } = JSON.parse(outcome.stdout) as { refreshes: Json[] };
      const { length } = model.indexed;
      expect(refreshes).toMatchObject([
        { media: 'image', state: 'succeeded', rows: model.records.length, documents: length },
        { media: 'audio', state: 'succeeded', rows: 600 },
      ]);
      expect(documents.size).toBe(length);
      for (const alias of [local.aliases.audio, `${local.aliases.image}-filtered`]) {
        const { count } = await local.search<{ count: number }>(`${alias}/_count`);
        expect(count, alias).toBeGreaterThan(500);
      }
    });

    it('every record has its row, every row that was not removed its document', async () => {
      const { rows } = await local.withApi((session) =>
        session.query<{ id: number; identifier: string; url: string; title: string | null }>(
          'select id, identifier, url, title from public.image',
        ),
      );
      const given = new Map(model.records.map((record) => [record['identifier'], record]));
      expect(rows.length).toBe(given.size);
      for (const row of rows) {
        const record = given.get(row.identifier);
        expect({ url: row.url, title: row.title ?? '' }).toEqual({
          url: record?.['url'],
          title: record?.['title'],
        });
      }
      expect(new Set([...documents.values()].map((document) => document['identifier']))).toEqual(
        new Set(model.indexed.map((record) => record['identifier'])),
      );
    });

    it('as many tags are dropped as the rules say, and as many stay in table and documents', async () => {
      const given = sum(model.records.map((record) => model.tags(record).length));
      const kept = sum(model.records.map((record) => model.keptTags(record).length));
      expect(kept).toBeLessThan(given);
      const { rows } = await local.withApi((session) =>
        session.query<{ kept: number }>(
          'select sum(jsonb_array_length(tags))::int as kept from public.image',
        ),
      );
      expect(rows).toEqual([{ kept }]);
      const { rows: phases } = await local.withState((session) =>
        session.query<{ result: { tables: { tagsDropped: Record<string, number>; rowsChanged: number }[] } }>(
          `select p.result from freshet.phases p join freshet.runs r on r.id = p.run_id where r.media = 'image' and p.name = 'copy'`,
        ),
      );
      const [image] = phases[0]?.result.tables ?? [];
      expect(sum(Object.values(image?.tagsDropped ?? {}))).toBe(given - kept);
      const changed = model.records.filter((one) => model.keptTags(one).length < model.tags(one).length);
      expect(image?.rowsChanged).toBe(changed.length);
      const inDocuments = sum(
        [...documents.values()].map((document) => (document['tags'] as [] | undefined)?.length ?? 0),
      );
      expect(inDocuments).toBe(sum(model.indexed.map((record) => model.keptTags(record).length)));
    });

    it.each<[string, (record: CsvRecord) => unknown]>([
      ['source', (record) => record['source']],
      ['license', (record) => record['license']?.toLowerCase()],
      ['authority_boost', (record) => model.authorityBoost(record)],
      ['standardized_popularity', (record) => model.popularity(record)],
      ['mature', (record) => model.isMature(record)],
      ['aspect_ratio', (record) => model.aspectRatio(record)],
      ['size', (record) => model.size(record)],
      ['category', (record) => record['category'] || null],
    ])('documents have the values of %s that the records give', (field, valueOf) => {
      expect(countBy(documents.values(), (document) => document[field])).toEqual(
        countBy(model.indexed, valueOf),
      );
    });

    it('documents have a description where the record has one, and both boosts', () => {
      const described = [...documents.values()].filter((document) => 'description' in document);
      expect(described.length).toBe(model.indexed.filter((record) => model.hasDescription(record)).length);
      const boosts = (record: CsvRecord): number[] => [
        model.popularity(record) ?? 1,
        model.authorityBoost(record) ?? 1,
      ];
      const values = [...documents.values()];
      expect(countBy(values, (document) => document['max_boost'])).toEqual(
        countBy(model.indexed, (record) => Math.max(...boosts(record))),
      );
      expect(countBy(values, (document) => document['min_boost'])).toEqual(
        countBy(model.indexed, (record) => Math.min(...boosts(record))),
      );
    });
  });
