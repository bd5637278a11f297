/** Media types of the Openverse preset, which sample data is made for. */
export type SampleMedia = 'image' | 'audio';

export const sampleMedia: readonly SampleMedia[] = ['image', 'audio'];

/** A column's value as Postgres' text; a number or boolean stands for its text. */
export type ColumnText = string | number | boolean | null;

/** What records of both media types have, named as the catalog's columns. JSON columns hold JSON text. */
export interface CommonRecord {
  identifier: string;
  created_on: string;
  updated_on: string;
  ingestion_type: string | null;
  provider: string | null;
  source: string | null;
  foreign_identifier: string | null;
  foreign_landing_url: string | null;
  url: string;
  thumbnail: string | null;
  filesize: number | null;
  license: string;
  license_version: string | null;
  creator: string | null;
  creator_url: string | null;
  title: string | null;
  meta_data: string | null;
  tags: string | null;
  watermarked: boolean | null;
  last_synced_with_source: string | null;
  removed_from_source: boolean;
  filetype: string | null;
  category: string | null;
  standardized_popularity: number | string | null;
}

export interface ImageRecord extends CommonRecord {
  width: number | null;
  height: number | null;
}

export interface AudioRecord extends CommonRecord {
  duration: number | null;
  bit_rate: number | null;
  sample_rate: number | null;
  /** Postgres' text of a varchar(80)[]. */
  genres: string | null;
  audio_set: string | null;
  set_position: number | null;
  alt_files: string | null;
  audio_set_foreign_identifier: string | null;
}

/** What a load put into the catalog. */
export interface LoadedSample {
  readonly media: SampleMedia;
  readonly rows: number;
  /** `seed <n>`, or `sha256 <digest>` of the file. */
  readonly origin: string;
}
