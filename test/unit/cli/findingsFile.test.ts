import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FindingsFile } from '../../../src/cli/findingsFile.js';
import type { Finding } from '../../../src/refresh/compareLive/findings.js';

const folder = mkdtempSync(join(tmpdir(), 'freshet-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const missing: Finding = { kind: 'rowMissing', place: 'image', key: 'a, "b"\nc', id: null, columns: [] };
const changed: Finding = {
  kind: 'changedInCatalog',
  place: 'image',
  key: 'd',
  id: '4',
  columns: ['title', 'url'],
};

async function write(name: string, findings: readonly (Finding | null)[]): Promise<string> {
  const file = await FindingsFile.create(join(folder, name));
  for (const finding of findings) await file.add(finding);
  await file.close();
  return readFileSync(join(folder, name), 'utf8');
}

describe('the file of all differences', () => {
  it('is CSV where its name says so', async () => {
    expect(await write('all.CSV', [missing, changed])).toBe(
      'fault,kind,place,key,id,columns\ntrue,rowMissing,image,"a, ""b""\nc",,\nfalse,changedInCatalog,image,d,4,title url\n',
    );
  });

  it('is one JSON object a line else', async () => {
    const lines = (await write('all.ndjson', [missing, changed])).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { fault: true, ...missing },
      { fault: false, ...changed },
    ]);
  });

  it('begins anew when a promotion came in between', async () => {
    const many = Array.from({ length: 2_000 }, () => missing);
    expect(await write('again.csv', [...many, null, changed])).toBe(
      'fault,kind,place,key,id,columns\nfalse,changedInCatalog,image,d,4,title url\n',
    );
  });

  it('is a mistake of the command line where it cannot be written', async () => {
    await expect(FindingsFile.create(join(folder, 'no', 'such.csv'))).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});
