import { afterEach, beforeEach, expect, it, vi } from 'vitest';

// Tests have no terminal: their output is a pipe.
beforeEach(() => {
  vi.resetModules();
  for (const name of ['CI', 'FORCE_COLOR', 'NO_COLOR']) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function redUnder(variables: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const { colors } = await import('../../../src/cli/colors.js');
  return colors.red('red');
}

it.each([
  { variables: {}, expected: 'red' },
  { variables: { CI: 'true' }, expected: 'red' },
  { variables: { FORCE_COLOR: '1' }, expected: '\u001B[31mred\u001B[39m' },
  { variables: { FORCE_COLOR: '0', CI: 'true' }, expected: 'red' },
  { variables: { FORCE_COLOR: '1', NO_COLOR: '1' }, expected: 'red' },
])('away from a terminal, $variables prints $expected', async ({ variables, expected }) => {
  expect(await redUnder(variables)).toBe(expected);
});
