import type { AudioRecord, CommonRecord, ImageRecord } from '../types.js';
import { awkwardAudio } from './audio.js';
import { awkwardColumns, awkwardTitles, awkwardUrls } from './columns.js';
import { awkwardSizes } from './image.js';
import { awkwardBoosts, awkwardMetaData } from './metaData.js';
import { awkwardTags } from './tags.js';
import { interleave, type AwkwardCase } from './types.js';

const common: readonly (readonly AwkwardCase<CommonRecord>[])[] = [
  awkwardTags,
  awkwardMetaData,
  awkwardBoosts,
  awkwardUrls,
  awkwardTitles,
  awkwardColumns,
];

/** Case `i` is record `i` of every sample: a sample of 500 has all of them, a smaller one some of every kind. */
export const awkwardImageCases: readonly AwkwardCase<ImageRecord>[] = interleave<AwkwardCase<ImageRecord>>([
  ...(common as readonly AwkwardCase<ImageRecord>[][]),
  awkwardSizes,
]);

export const awkwardAudioCases: readonly AwkwardCase<AudioRecord>[] = interleave<AwkwardCase<AudioRecord>>([
  ...(common as readonly AwkwardCase<AudioRecord>[][]),
  awkwardAudio,
]);
