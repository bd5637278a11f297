export { addApiActivity, type ApiActivity } from './apiActivity.js';
export { createApiTables } from './apiTables.js';
export { createCatalogTables } from './catalogTables.js';
export { fillCatalog, type FillOptions, type FillProgress } from './fillCatalog.js';
export { loadCatalogCsv, type CsvOptions } from './loadCatalogCsv.js';
export { assertOnlySampleRecords } from './sampleLoad.js';
export { sampleMedia, type LoadedSample, type SampleMedia } from './types.js';
