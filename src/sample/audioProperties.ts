import type { Provider } from './providers.js';
import type { RecordRandom } from './random.js';
import type { AudioRecord, CommonRecord } from './types.js';
import { adjectives, genres, nouns } from './words.js';

/** Consecutive records of one provider within so many indexes belong to one album. */
const albumSpan = 40;

/** What an audio has beyond the properties of every medium. */
export function makeAudioProperties(
  random: RecordRandom,
  provider: Provider,
  index: number,
): Omit<AudioRecord, keyof CommonRecord> {
  const inAlbum = provider.category === 'music' && random.chance(0.8);
  const album = Math.floor(index / albumSpan);
  return {
    duration: random.chance(0.03) ? null : 500 + Math.floor(random.share() ** 2 * 900_000),
    bit_rate: random.pick([128_000, 192_000, 256_000, 320_000]),
    sample_rate: random.pick([44_100, 48_000, 96_000]),
    genres: provider.category === 'music' ? `{${random.pick(genres)},${random.pick(genres)}}` : null,
    audio_set: inAlbum ? makeAudioSet(provider, album) : null,
    set_position: inAlbum ? 1 + (index % albumSpan) : null,
    alt_files: random.chance(0.3) ? makeAltFiles(provider, index) : null,
    audio_set_foreign_identifier: inAlbum ? String(album) : null,
  };
}

/** JSON text; the same for all audios of the album. */
function makeAudioSet(provider: Provider, album: number): string {
  const page = `https://www.${provider.name}.example.org`;
  const title = `${adjectives[album % adjectives.length]} ${nouns[album % nouns.length]} no. ${album}`;
  return JSON.stringify({
    foreign_identifier: String(album),
    title,
    foreign_landing_url: `${page}/album/${album}`,
    creator: `Collective ${album % 97}`,
    creator_url: `${page}/artist/${album % 97}`,
    url: `https://${provider.host}/albums/${album}.zip`,
    filesize: 1_000_000 + album,
    filetype: 'zip',
    thumbnail: `https://${provider.host}/albums/${album}.jpg`,
  });
}

function makeAltFiles(provider: Provider, index: number): string {
  const files = ['mp3', 'ogg'].map((filetype, at) => ({
    url: `https://${provider.host}/alternatives/${index}.${filetype}`,
    bit_rate: 128_000,
    filesize: 400_000 + at,
    filetype,
    sample_rate: 44_100,
  }));
  return JSON.stringify(files);
}
