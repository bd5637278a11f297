import { buildOtherIndexes, buildUniqueKeys } from '../../../src/postgres/indexBuild.js';
import type { TempTablePlan } from '../../../src/postgres/tempTablePlan.js';

/** Builds in a process of its own, which a test may kill. */
const { url, plan } = JSON.parse(process.env['FRESHET_TEST_BUILD'] ?? '{}') as {
  url: string;
  plan: TempTablePlan;
};

await buildUniqueKeys(url, plan);
await buildOtherIndexes(url, plan);
