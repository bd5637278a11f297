import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { failpoints, readArmed } from '../../src/failpoints.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the failpoints', () => {
  it('are those of docs/failpoints.md, in the same order and with the same words', () => {
    const text = readFileSync(join(root, 'docs/failpoints.md'), 'utf8').split('## The points')[1] ?? '';
    const documented = [...text.matchAll(/^\| `([a-zA-Z.-]+)` +\| (.+?) +\|$/gm)].map(([, name, what]) => [
      name,
      what,
    ]);
    expect(documented).toEqual(Object.entries(failpoints));
  });

  it('arm nothing without the environment variable', () => {
    expect(readArmed({})).toBeNull();
    expect(readArmed({ FRESHET_FAILPOINT: '' })).toBeNull();
  });

  it('are armed by name and passage', () => {
    expect(readArmed({ FRESHET_FAILPOINT: 'swap.locked' })).toEqual({
      name: 'swap.locked',
      passage: 1,
      onceFile: null,
    });
    expect(readArmed({ FRESHET_FAILPOINT: 'keys.key@3', FRESHET_FAILPOINT_ONCE: '/tmp/x' })).toEqual({
      name: 'keys.key',
      passage: 3,
      onceFile: '/tmp/x',
    });
  });

  it.each([
    'swap.lockd',
    'swap',
    'toString',
    'swap.locked@',
    'swap.locked@0',
    'swap.locked@x',
    'swap.locked@1@2',
  ])('refuse %s: a test would pass because nothing is ever killed', (value) => {
    expect(() => readArmed({ FRESHET_FAILPOINT: value })).toThrow(
      expect.objectContaining({
        code: 'CONFIGURATION_INVALID',
        message: expect.stringContaining(value.split('@')[0] ?? '') as unknown,
      }),
    );
  });
});
