import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  errorKinds,
  exitStatus,
  FreshetError,
  messageOf,
  policyOf,
  type ErrorCode,
  type ErrorKind,
} from '../../src/errors.js';
import { statusOfError } from '../../src/cli/output.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const kinds = Object.entries(errorKinds) as [ErrorCode, ErrorKind][];

/** What the documentation says of a code. */
interface Entry {
  readonly status: number;
  readonly isTriedAgain: boolean;
  readonly means: string;
  readonly remedy: string;
}

function readEntries(): Map<string, Entry> {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const sections = text.split(/^### /m).slice(1);
  return new Map(
    sections.map((section) => {
      const lines = section.split(/^## /m)[0] ?? '';
      const [, code = '', status = '', again, means = '', remedy = ''] =
        /^([A-Z_]+)\n\nExit status (\d+)(, tried again)?\. ([\s\S]+?)\n\n((?:> .*\n)+)/.exec(lines) ?? [];
      const quoted = remedy.replaceAll(/^> /gm, '').replaceAll('\n', ' ').trim();
      return [code, { status: Number(status), isTriedAgain: again !== undefined, means, remedy: quoted }];
    }),
  );
}

const entries = readEntries();

describe('docs/errors.md and the errors', () => {
  it('have the same codes, in the same order', () => {
    expect([...entries.keys()]).toEqual(kinds.map(([code]) => code));
  });

  it.each(kinds)('%s has the documented exit status and remedy', (code, { policy, remedy }) => {
    const entry = entries.get(code);
    expect(entry?.status).toBe(statusOfError(new FreshetError(code, '')));
    expect(entry?.isTriedAgain).toBe(policy === 'retry');
    expect(entry?.remedy).toBe(remedy);
    expect(entry?.means.length).toBeGreaterThan(20);
  });
});

/** All sources but the table of the errors itself. */
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
  .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
  .join('\n');

describe('every error', () => {
  it.each(kinds)('%s is thrown somewhere', (code) => {
    // A call with the code, or a choice between codes that ends in one.
    const thrown = new RegExp(
      `(?:FreshetError|wrap|explained|fault)\\(\\s*'${code}'|[?:] '${code}'|(?:return|=>) '${code}'`,
    );
    expect(sources).toMatch(thrown);
  });

  it.each(kinds)('%s says what is safe', (_code, { remedy }) => {
    expect(remedy).toMatch(
      /nothing|not changed|was kept|undone|repeated safely|looks before it acts|promotion stands|moves no alias/i,
    );
  });

  it('fills its remedy with its details, and leaves what it does not know', () => {
    const details = { table: 'image', database: 'catalog' };
    const error = new FreshetError('COLUMN_MISSING', 'image has no column x.', details);
    expect(error.remedy).toMatch(/^Add the column \{column\} to image in the catalog/);
  });

  it('that this version does not know is a failure, not a crash', () => {
    expect(policyOf('OF_ANOTHER_VERSION')).toBe('stop');
    expect(policyOf('toString')).toBe('stop');
    expect(statusOfError(new Error('anything'))).toBe(exitStatus.failed);
  });

  it('of several tries has the message of each', () => {
    const tries = new AggregateError([
      new Error('connect ECONNREFUSED ::1:1'),
      new Error('connect ECONNREFUSED 127.0.0.1:1'),
    ]);
    expect(messageOf(tries)).toBe('connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1');
  });
});
