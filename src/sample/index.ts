export { addApiActivity } from './apiActivity.js';
export { createApiTables } from './apiTables.js';
export { createCatalogTables } from './catalogTables.js';
export { fillCatalog } from './fillCatalog.js';
export { checkCsvHeader, loadCatalogCsv } from './loadCatalogCsv.js';
export { assertOnlySampleRecords } from './sampleLoad.js';
export { sampleMedia, type LoadedSample, type SampleMedia } from './types.js';
