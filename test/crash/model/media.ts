/** What the specification says of the tables of a media type; nothing here comes from the product's configuration. */

export type Media = 'image' | 'audio';

export interface TableModel {
  readonly upstream: string;
  readonly live: string;
  /** Columns by which a record is known. */
  readonly key: readonly string[];
  /** Upstream column → live column. */
  readonly renames: Readonly<Record<string, string>>;
  /** Columns that a known record keeps from its live row → what a new record gets. */
  readonly kept: Readonly<Record<string, string>>;
  /** Table whose identifiers are left out. */
  readonly deleted: string | null;
  readonly hasTags: boolean;
}

const main = (media: Media, renames: Readonly<Record<string, string>> = {}): TableModel => ({
  upstream: media,
  live: media,
  key: ['identifier'],
  renames,
  kept: { view_count: '0' },
  deleted: `api_deleted${media}`,
  hasTags: true,
});

const audioset: TableModel = {
  upstream: 'audioset_view',
  live: 'audioset',
  key: ['foreign_identifier', 'provider'],
  renames: {},
  kept: {},
  deleted: null,
  hasTags: false,
};

/** The tables of a media type, the main one first. */
export const tablesOf: Readonly<Record<Media, readonly [TableModel, ...TableModel[]]>> = {
  image: [main('image')],
  audio: [main('audio', { set_position: 'audio_set_position' }), audioset],
};
