// Runs a TypeScript file of this project (benchmarks) without a build step: node scripts/runTypeScript.js bench/refresh.ts [arguments]
import { resolve } from 'node:path';
import { createJiti } from 'jiti';

const [, , file, ...rest] = process.argv;
process.argv = [process.argv[0], file, ...rest];
await createJiti(import.meta.url, { fsCache: false }).import(resolve(file));
