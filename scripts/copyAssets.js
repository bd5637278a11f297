// Copies files that are not TypeScript (the search engine's launcher, its jar locks) beside the compiled code.
import { cpSync, existsSync } from 'node:fs';

for (const folder of ['embedded/search']) {
  if (existsSync(`src/${folder}`)) cpSync(`src/${folder}`, `dist/${folder}`, { recursive: true });
}
