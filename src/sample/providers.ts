/** A provider of records and how its records look. */
export interface Provider {
  readonly name: string;
  /** Records of 10,000. */
  readonly share: number;
  /** Sources; the first is the most frequent. */
  readonly sources: readonly string[];
  /** Host of the files. */
  readonly host: string;
  readonly licenses: readonly (readonly [license: string, version: string])[];
  /** Tags per record at most; 0 = the provider has none. */
  readonly tagsMax: number;
  readonly category: string | null;
}

const creativeCommons = [
  ['by', '2.0'],
  ['by-sa', '2.0'],
  ['by-nc', '2.0'],
  ['by-nc-sa', '2.0'],
  ['by-nc-nd', '2.0'],
  ['by-nd', '2.0'],
] as const;
const publicDomain = [
  ['cc0', '1.0'],
  ['pdm', '1.0'],
] as const;
const wikimedia = [
  ['by-sa', '4.0'],
  ['by-sa', '3.0'],
  ['by', '4.0'],
  ['cc0', '1.0'],
  ['pdm', '1.0'],
] as const;

function provider(
  name: string,
  share: number,
  host: string,
  rest: Partial<Pick<Provider, 'sources' | 'licenses' | 'tagsMax' | 'category'>> = {},
): Provider {
  return {
    ...{ name, share, host, sources: [name], licenses: publicDomain, tagsMax: 3, category: null },
    ...rest,
  };
}

/** Spread over providers as in a large public catalog: one has most, many have few. */
export const imageProviders: readonly Provider[] = [
  provider('flickr', 6_300, 'live.staticflickr.com', {
    sources: ['flickr', 'flickr', 'flickr', 'nasa', 'bio_diversity'],
    licenses: creativeCommons,
    tagsMax: 12,
    category: 'photograph',
  }),
  provider('wikimedia', 1_200, 'upload.wikimedia.org', { licenses: wikimedia, tagsMax: 0 }),
  provider('inaturalist', 700, 'inaturalist-open-data.example.org', {
    licenses: creativeCommons,
    tagsMax: 2,
  }),
  provider('geographorguk', 300, 's0.geograph.org.uk', { licenses: [['by-sa', '2.0']], tagsMax: 4 }),
  provider('smithsonian', 300, 'ids.si.edu', {
    sources: ['smithsonian_national_museum_of_natural_history', 'smithsonian_american_art_museum'],
    category: 'digitized_artwork',
  }),
  provider('europeana', 250, 'api.europeana.eu', { licenses: wikimedia }),
  provider('rawpixel', 150, 'img.rawpixel.com', { tagsMax: 20 }),
  provider('rijksmuseum', 120, 'lh3.example.org', { category: 'digitized_artwork' }),
  provider('met', 100, 'images.metmuseum.org', { category: 'digitized_artwork', tagsMax: 6 }),
  provider('museumsvictoria', 90, 'collections.museumsvictoria.com.au', { licenses: [['by', '4.0']] }),
  provider('brooklynmuseum', 80, 'd1lfxha3ugu3d4.cloudfront.net', { licenses: [['by', '3.0']], tagsMax: 0 }),
  provider('thingiverse', 70, 'cdn.thingiverse.com', {
    licenses: creativeCommons,
    category: 'digitized_artwork',
  }),
  provider('sketchfab', 60, 'media.sketchfab.com', { licenses: [['by', '4.0']], tagsMax: 8 }),
  provider('stocksnap', 60, 'cdn.stocksnap.io', {
    licenses: [['cc0', '1.0']],
    tagsMax: 10,
    category: 'photograph',
  }),
  provider('clevelandmuseum', 50, 'openaccess-cdn.clevelandart.org', { tagsMax: 0 }),
  provider('svgsilh', 40, 'svgsilh.com', { licenses: [['cc0', '1.0']], tagsMax: 6 }),
  provider('phylopic', 40, 'images.phylopic.org', { licenses: [['by', '3.0']], tagsMax: 0 }),
  provider('digitaltmuseum', 40, 'ems.dimu.org', { licenses: wikimedia, tagsMax: 5 }),
  provider('behance', 20, 'mir-s3-cdn-cf.behance.net', { licenses: creativeCommons }),
  provider('thorvaldsensmuseum', 15, 'thorvaldsensmuseum.dk'),
  provider('mccordsmuseum', 15, 'collections.musee-mccord-stewart.ca', { licenses: creativeCommons }),
];

export const audioProviders: readonly Provider[] = [
  provider('freesound', 5_200, 'cdn.freesound.org', {
    licenses: [
      ['cc0', '1.0'],
      ['by', '4.0'],
      ['by-nc', '3.0'],
    ],
    tagsMax: 15,
    category: 'sound_effect',
  }),
  provider('jamendo', 3_200, 'mp3d.jamendo.com', {
    licenses: [
      ['by-nc-sa', '3.0'],
      ['by-nc-nd', '3.0'],
      ['by-sa', '3.0'],
      ['by', '3.0'],
    ],
    tagsMax: 6,
    category: 'music',
  }),
  provider('wikimedia_audio', 1_400, 'upload.wikimedia.org', { licenses: wikimedia, tagsMax: 0 }),
  provider('ccmixter', 200, 'ccmixter.org', { licenses: creativeCommons, tagsMax: 6, category: 'music' }),
];

/** Chooses by share: `at` from 0 to below 1. */
export function chooseProvider(providers: readonly Provider[], at: number): Provider {
  let left = at * providers.reduce((sum, { share }) => sum + share, 0);
  for (const candidate of providers) {
    left -= candidate.share;
    if (left < 0) return candidate;
  }
  return providers[0] as Provider;
}
