import { copyMedia } from '../../../src/copy/copyMedia.js';
import { mediaOf } from './media.js';

/** Copies in a process of its own, which a failpoint or a signal may kill. */
const { catalogUrl, apiUrl, runId, media } = JSON.parse(process.env['FRESHET_TEST_COPY'] ?? '{}') as {
  catalogUrl: string;
  apiUrl: string;
  runId: string;
  media: 'image' | 'audio';
};

const result = await copyMedia({
  catalogUrl,
  apiUrl,
  runId,
  media: mediaOf(media),
  version: '0',
  recordLimit: null,
  allowEmpty: false,
  isRunOver: () => true,
  onProgress: () => undefined,
  signal: new AbortController().signal,
});
const { rowsCopied } = result.tables[0] ?? { rowsCopied: 0 };
// VmHWM: the most memory that the process ever held, in KB.
const { maxRSS } = process.resourceUsage();
console.log(JSON.stringify({ rowsCopied, maxRssKb: maxRSS }));
