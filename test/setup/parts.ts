import type { TestProject } from 'vitest/node';
import { startParts } from '../../src/embedded/parts.js';

/** Where the servers of this test run answer. */
export interface TestParts {
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly searchUrl: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    parts: TestParts;
  }
}

/** Starts the servers once for a whole test run, or uses those that the environment names. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = readEnvironment();
  if (given) {
    project.provide('parts', given);
    return () => Promise.resolve();
  }
  const parts = await startParts({ folder: null, searchHeapMb: 512, report: (line) => console.log(line) });
  const { catalogUrl, apiUrl, searchUrl } = parts;
  if (searchUrl === null) throw new Error('The test run has no search engine.');
  project.provide('parts', { catalogUrl, apiUrl, searchUrl });
  return () => parts.stop();
}

function readEnvironment(): TestParts | null {
  const catalogUrl = process.env['FRESHET_TEST_CATALOG_URL'];
  const apiUrl = process.env['FRESHET_TEST_API_URL'];
  const searchUrl = process.env['FRESHET_TEST_SEARCH_URL'];
  if (catalogUrl && apiUrl && searchUrl) return { catalogUrl, apiUrl, searchUrl };
  if (!catalogUrl && !apiUrl && !searchUrl) return null;
  throw new Error(
    'Set all of FRESHET_TEST_CATALOG_URL, FRESHET_TEST_API_URL and FRESHET_TEST_SEARCH_URL, or none.',
  );
}
