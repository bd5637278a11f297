/** What `import … from 'freshet'` gives at run time; a configuration file gets exactly this, also where the package is not installed. */
export { defineConfig } from './define.js';
export { openverse } from './presets/openverse.js';
export { audioDocument } from '../documents/audio.js';
export { imageDocument } from '../documents/image.js';
export { audioMappings, imageMappings, openverseAnalysis } from '../documents/openverseIndex.js';
