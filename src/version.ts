import { readFileSync } from 'node:fs';

const packageFile = new URL('../package.json', import.meta.url);

/** The product's version, as its package says. */
export const version = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
