/** What the rest of freshet may do with a search cluster. Names: `names.ts`; documents and sensitive terms have files of their own. */
export { assertAliasUsable, liveIndexOf, moveAliases, readAlias, type AliasRemoval } from './aliases.js';
export { countBySource, countDocuments, countPerIdBucket, readIdBounds, refreshIndex } from './counts.js';
export { createIndex, removeWriteAlias, type NewIndex } from './createIndex.js';
export { deleteIndex } from './deleteIndex.js';
export type { IndexMark } from './mark.js';
export { differencesFromDefinition, listMarkedIndexes, readIndex } from './readIndex.js';
export { makeServing } from './serving.js';
