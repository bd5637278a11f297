import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../../src/config/describe.js';
import { buildConfig } from '../../../src/config/load.js';
import { openverse, type OpenverseOverrides } from '../../../src/config/presets/openverse.js';

const context = { env: {}, file: '/project/freshet.config.ts', folder: '/project' };
const build = (promotion: unknown) =>
  buildConfig(openverse({ environments: { local: { promotion } } } as OpenverseOverrides), context);
const promotionOf = async (promotion: unknown) => (await build(promotion)).environments['local']?.promotion;

describe('the configuration of promotions', () => {
  it('is empty by default: at any time, without hooks', async () => {
    expect(await promotionOf(undefined)).toEqual({
      windows: [],
      lockWindowMinutes: 720,
      before: [],
      after: [],
    });
  });

  it('has every day where none is named, and looks for programs and files beside the configuration', async () => {
    const windows = [{ from: '22:00', to: '04:00' }];
    const before = [{ command: ['./hooks/ask', '-x'] }, { command: ['ask'], timeoutSeconds: 5 }];
    const after = [{ url: { file: 'hook.url' } }, { url: { env: 'HOOK' } }];
    expect(await promotionOf({ windows, before, after })).toEqual({
      windows: [
        {
          days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
          from: '22:00',
          to: '04:00',
        },
      ],
      before: [
        { command: ['/project/hooks/ask', '-x'], timeoutSeconds: 300 },
        { command: ['ask'], timeoutSeconds: 5 },
      ],
      lockWindowMinutes: 720,
      after: [
        { url: { file: '/project/hook.url' }, timeoutSeconds: 300 },
        { url: { env: 'HOOK' }, timeoutSeconds: 300 },
      ],
    });
  });

  it('waits for its locks as long as is said', async () => {
    expect(await promotionOf({ lockWindowMinutes: 5 })).toMatchObject({ lockWindowMinutes: 5 });
  });

  it('is shown without the URL of a webhook', async () => {
    const config = await build({ after: [{ url: { env: 'HOOK' } }] });
    const shown = JSON.stringify(describeConfig(config, { HOOK: 'https://example.org/secret' }));
    expect(shown).toContain('env HOOK (set)');
    expect(shown).not.toContain('secret');
  });

  it.each([
    [{ windows: [{ from: '22:00' }] }, 'windows.0.to: is missing'],
    [
      { windows: [{ from: '25:00', to: '04:00' }] },
      'windows.0.from: must be a time of day in UTC from `00:00` to `23:59`.',
    ],
    [{ windows: [{ from: '24:00', to: '04:00' }] }, 'windows.0.from: must be a time of day'],
    [{ windows: [{ from: '2:00', to: '04:00' }] }, 'windows.0.from: must be a time of day'],
    [
      { windows: [{ from: '02:00', to: '24:01' }] },
      'windows.0.to: must be a time of day in UTC from `00:00` to `24:00`.',
    ],
    [{ lockWindowMinutes: 0.5 }, 'lockWindowMinutes: must be a whole number of minutes from 1 to 10080.'],
    [
      { windows: [{ from: '02:00', to: '02:00' }] },
      'windows.0.to: must differ from `from`; a whole day is from `00:00` to `24:00`.',
    ],
    [
      { windows: [{ days: ['mon'], from: '02:00', to: '03:00' }] },
      'windows.0.days.0: must be a day: monday, tuesday,',
    ],
    [{ windows: [{ days: [], from: '02:00', to: '03:00' }] }, 'windows.0.days: must name at least one day'],
    [
      { windows: [{ day: ['monday'], from: '02:00', to: '03:00' }] },
      'windows.0.day: unknown key. Did you mean "days"?',
    ],
    [{ before: [{}] }, 'before.0: must have either `command` (program and arguments) or `url` (a webhook).'],
    [{ before: [{ command: ['a'], url: { env: 'A' } }] }, 'before.0: must have either'],
    [{ before: [{ command: [] }] }, 'before.0.command: must name a program.'],
    [{ before: [{ command: [''] }] }, 'before.0.command: must begin with the name of a program.'],
    [{ before: [{ command: 'a b' }] }, 'before.0.command: '],
    [{ before: [{ comand: ['a'] }] }, 'before.0.comand: unknown key. Did you mean "command"?'],
    [
      { before: [{ command: ['a'], timeoutSeconds: 0 }] },
      'before.0.timeoutSeconds: must be a whole number of seconds',
    ],
    [
      { after: [{ url: { env: 'A' }, timeoutSeconds: 301 }] },
      'after.0.timeoutSeconds: of a webhook must be at most 300.',
    ],
    [
      { after: [{ url: 'https://sesame.example.org' }] },
      'after.0.url: must be { env: "NAME" } or { file: "path" }: it is a secret as a whole.',
    ],
  ])('says what is wrong with %j', async (promotion, message) => {
    const error: unknown = await build(promotion).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CONFIGURATION_INVALID' });
    expect((error as Error).message).toContain(`environments.local.promotion.${message}`);
    expect((error as Error).message).not.toContain('sesame');
  });

  it('refuses a media type whose alias is that of another one’s candidate', async () => {
    const clash = openverse({ media: { audio: { index: { alias: 'image-candidate' } } } });
    await expect(buildConfig(clash, context)).rejects.toThrow(
      /the alias image-candidate is named more than once/,
    );
  });
});
