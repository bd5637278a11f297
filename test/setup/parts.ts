import type { TestProject } from 'vitest/node';
import { startParts, type EmbeddedParts } from '../../src/embedded/parts.js';

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

interface SharedParts {
  readonly started: Promise<EmbeddedParts>;
  projects: number;
}

/** Every project of a run sets up for itself, in this one process: they share the servers. */
const shared = globalThis as { freshetTestParts?: SharedParts };

/** Starts the servers once for a whole test run, or uses those that the environment names. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = readGivenParts();
  if (given) {
    project.provide('parts', given);
    return () => Promise.resolve();
  }
  const parts = (shared.freshetTestParts ??= {
    started: startParts({ folder: null, searchHeapMb: 512, report: (line) => console.log(line) }),
    projects: 0,
  });
  parts.projects += 1;
  const { catalogUrl, apiUrl, searchUrl } = await parts.started;
  if (searchUrl === null) throw new Error('The test run has no search engine.');
  project.provide('parts', { catalogUrl, apiUrl, searchUrl });
  return async () => {
    parts.projects -= 1;
    if (parts.projects === 0) await (await parts.started).stop();
  };
}

/** The servers that the environment names; null = none. */
export function readGivenParts(): TestParts | null {
  const catalogUrl = process.env['FRESHET_TEST_CATALOG_URL'];
  const apiUrl = process.env['FRESHET_TEST_API_URL'];
  const searchUrl = process.env['FRESHET_TEST_SEARCH_URL'];
  if (catalogUrl && apiUrl && searchUrl) return { catalogUrl, apiUrl, searchUrl };
  if (!catalogUrl && !apiUrl && !searchUrl) return null;
  throw new Error(
    'Set all of FRESHET_TEST_CATALOG_URL, FRESHET_TEST_API_URL and FRESHET_TEST_SEARCH_URL, or none.',
  );
}
