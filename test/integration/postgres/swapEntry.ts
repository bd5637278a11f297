import { swapTables, type SwapTable } from '../../../src/postgres/swap.js';

/** Promotes in a process of its own, which a failpoint may kill. */
const { apiUrl, runId, tables } = JSON.parse(process.env['FRESHET_TEST_SWAP'] ?? '{}') as {
  apiUrl: string;
  runId: string;
  tables: (Omit<SwapTable, 'nextId'> & { nextId: string })[];
};

await swapTables({
  apiUrl,
  runId,
  media: 'image',
  version: '0',
  tables: tables.map((table) => ({ ...table, nextId: BigInt(table.nextId) })),
  insideSwap: () => Promise.resolve(0),
  lockWindowMs: 10_000,
  onBlocked: () => undefined,
});
