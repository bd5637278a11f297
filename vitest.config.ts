import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longestFirst.js';

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // Property tests are bound by the processor, and other work may have it.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/setup/parts.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          pool: 'forks',
          maxWorkers: 2,
          // After the pure ones: vitest wants groups where the numbers of workers differ.
          sequence: { groupOrder: 1 },
          // Of tests in one file that say that they may run side by side: the machine has two cores, and each starts processes.
          maxConcurrency: 2,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: ['test/setup/parts.ts'],
          // A server that comes back takes its time where others use the processors, too.
          testTimeout: 600_000,
          hookTimeout: 300_000,
          pool: 'forks',
          maxWorkers: 2,
          // Beside the integration tests: much of it is waiting for a server that comes back.
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'races',
          include: ['test/races/**/*.test.ts'],
          globalSetup: ['test/setup/parts.ts'],
          hookTimeout: 120_000,
          pool: 'forks',
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'crash',
          include: ['test/crash/**/*.test.ts'],
          globalSetup: ['test/setup/parts.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          pool: 'forks',
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          // Environments side by side: each runs a command and its worker.
          maxConcurrency: 2,
        },
      },
    ],
  },
});
