import { makeAudioProperties } from './audioProperties.js';
import { audioProviders, chooseProvider, imageProviders, type Provider } from './providers.js';
import { hex32, makeIdentifier, RecordRandom } from './random.js';
import type { AudioRecord, CommonRecord, ImageRecord } from './types.js';
import { adjectives, firstNames, lastNames, nouns, places, sentencePieces } from './words.js';

const streamOf = { image: 1, audio: 2 } as const;
const firstDay = Date.UTC(2012, 0, 1);
const days = 4_500;

/** Record `index` of the sample `seed`: an ordinary one, the same whatever the number of records is. */
export function makeImage(seed: number, index: number): ImageRecord {
  const random = new RecordRandom(seed, streamOf.image, index);
  const provider = chooseProvider(imageProviders, random.share());
  const common = makeCommon(
    random,
    provider,
    index,
    random.pick(['jpg', 'jpg', 'jpg', 'jpeg', 'png', 'svg']),
  );
  const portrait = random.chance(0.3);
  const [long, short] = [random.pick([640, 1024, 1600, 2048, 4000, 6000]), 400 + random.below(2_000)];
  const hasSize = !random.chance(0.08);
  return Object.assign(common, {
    width: hasSize ? (portrait ? short : long) : null,
    height: hasSize ? (portrait ? long : short) : null,
  });
}

export function makeAudio(seed: number, index: number): AudioRecord {
  const random = new RecordRandom(seed, streamOf.audio, index);
  const provider = chooseProvider(audioProviders, random.share());
  const common = makeCommon(random, provider, index, random.pick(['mp3', 'mp3', 'ogg', 'wav', 'flac']));
  return Object.assign(common, makeAudioProperties(random, provider, index));
}

function makeCommon(
  random: RecordRandom,
  provider: Provider,
  index: number,
  extension: string,
): CommonRecord {
  const created = firstDay + random.below(days) * 86_400_000 + random.below(86_400_000);
  const updated = created + random.below(400) * 86_400_000;
  const [license, version] = random.pick(provider.licenses);
  const foreign = String(100_000_000 + index * 3 + random.below(3));
  const creator = `${random.pick(firstNames)} ${random.pick(lastNames)}`;
  const base = `https://${provider.host}/${random.below(70_000)}/${foreign}_${hex32(random.next32())}`;
  const page = `https://www.${provider.name}.example.org`;
  const updatedText = new Date(updated).toISOString();
  return {
    identifier: makeIdentifier(random, index),
    created_on: new Date(created).toISOString(),
    updated_on: updatedText,
    ingestion_type: random.chance(0.95) ? 'provider_api' : 'common_crawl',
    provider: provider.name,
    source: random.pick(provider.sources),
    foreign_identifier: foreign,
    foreign_landing_url: `${page}/item/${foreign}`,
    url: `${base}.${extension}`,
    thumbnail: random.chance(0.7) ? `${base}_m.jpg` : null,
    filesize: random.chance(0.6) ? 20_000 + random.below(9_000_000) : null,
    license,
    license_version: version,
    creator: random.chance(0.9) ? creator : null,
    creator_url: random.chance(0.7) ? `${page}/people/${random.below(90_000)}` : null,
    title: makeTitle(random),
    meta_data: makeMetaData(random, `${license}/${version}`),
    tags: makeTags(random, provider),
    watermarked: random.chance(0.1) ? null : random.chance(0.02),
    last_synced_with_source: updatedText,
    removed_from_source: random.chance(0.004),
    filetype: random.chance(0.8) ? extension : null,
    category: random.chance(0.6) ? provider.category : null,
    standardized_popularity: random.chance(0.35) ? null : random.share() ** 3,
  };
}

function makeTitle(random: RecordRandom): string | null {
  const kind = random.share();
  if (kind < 0.02) return null;
  if (kind < 0.15) return `IMG_${1_000 + random.below(9_000)}`;
  const thing = `${random.pick(adjectives)} ${random.pick(nouns)}`;
  if (kind < 0.6) return `${thing.charAt(0).toUpperCase()}${thing.slice(1)} in ${random.pick(places)}`;
  return `${random.pick(places)}: ${thing} and ${random.pick(nouns)}`;
}

/** JSON text. The words of the lists need no escapes. */
function makeMetaData(random: RecordRandom, license: string): string | null {
  if (random.chance(0.05)) return null;
  const parts = [`"license_url":"https://creativecommons.org/licenses/${license}/"`];
  if (random.chance(0.6)) parts.push(`"views":${random.below(50_000)}`);
  if (random.chance(0.5)) parts.push(`"pub_date":"${1_100_000_000 + random.below(500_000_000)}"`);
  if (random.chance(0.45)) parts.push(`"description":"${makeDescription(random)}"`);
  if (random.chance(0.01)) parts.push('"mature":true');
  if (random.chance(0.01)) parts.push(`"authority_boost":${random.below(100)}`);
  return `{${parts.join(',')}}`;
}

function makeDescription(random: RecordRandom): string {
  const sentences = [`${random.pick(adjectives)} ${random.pick(nouns)} near ${random.pick(places)}.`];
  for (let left = random.below(4); left > 0; left -= 1) sentences.push(random.pick(sentencePieces));
  return sentences.join(' ');
}

/** Some tags come from a machine, with an accuracy; some of those, and a few others, are dropped by the filter. */
function makeTags(random: RecordRandom, provider: Provider): string | null {
  const count = provider.tagsMax === 0 ? 0 : random.below(provider.tagsMax + 1);
  if (count === 0) return random.chance(0.5) ? null : '[]';
  const tags: string[] = [];
  for (let left = count; left > 0; left -= 1) tags.push(makeTag(random, provider));
  return `[${tags.join(',')}]`;
}

function makeTag(random: RecordRandom, provider: Provider): string {
  const kind = random.share();
  if (kind < 0.01) return `{"name":"uploaded:by=flickrmobile","provider":"${provider.name}"}`;
  const name = random.pick(kind < 0.5 ? nouns : kind < 0.8 ? adjectives : places);
  if (kind > 0.93) {
    const accuracy = (0.7 + random.share() * 0.3).toFixed(5);
    return `{"name":"${name}","accuracy":${accuracy},"provider":"${kind > 0.98 ? 'rekognition' : 'clarifai'}"}`;
  }
  return `{"name":"${name}","provider":"${provider.name}"}`;
}
