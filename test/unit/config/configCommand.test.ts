import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { configCommand } from '../../../src/cli/config.js';

let printed: string;
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.stubEnv('FRESHET_API_URL', "postgres://user:it's-a-secret@127.0.0.1:5432/api");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

it('freshet config shows what is in force and where secrets come from, never a secret', async () => {
  await configCommand().parseAsync([], { from: 'user' });
  expect(printed).toContain('id: local_image_data_refresh');
  expect(printed).toContain('apiUrl: env FRESHET_API_URL (set)');
  expect(printed).not.toContain('secret');
});

it('freshet config --json is one object', async () => {
  await configCommand().parseAsync(['--json'], { from: 'user' });
  const shown = JSON.parse(printed) as { definitions: { id: string }[]; hostEnvironment: string };
  expect(shown.hostEnvironment).toBe('local');
  expect(shown.definitions).toHaveLength(6);
  expect(printed).not.toContain('secret');
});

it('freshet config with a missing file is an error', async () => {
  const command = configCommand();
  await expect(command.parseAsync(['--config', 'missing.yaml'], { from: 'user' })).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
  });
  expect(printed).toBe('');
});
