// Runs embedded parts until it is told to stop or killed: `holdParts.ts <folder or -> <search: yes or no>`.
// Prints one line of JSON when they are up.
import { startParts } from '../../../src/embedded/parts.js';

const [folder = '-', search = 'no'] = process.argv.slice(2);
const parts = await startParts({
  folder: folder === '-' ? null : folder,
  search: search === 'yes',
  searchHeapMb: 256,
});
process.once('SIGINT', () => void parts.stop().then(() => process.exit(130)));
console.log(JSON.stringify({ catalogUrl: parts.catalogUrl, folder: parts.folder }));
