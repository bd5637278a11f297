// Copies files that are not TypeScript (the search engine's launcher, its jar locks) beside the compiled code.
import { cpSync, existsSync } from 'node:fs';

for (const path of ['embedded/search', 'embedded/keeper.js']) {
  if (existsSync(`src/${path}`)) cpSync(`src/${path}`, `dist/${path}`, { recursive: true });
}
