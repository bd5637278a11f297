import { describe, expect, it } from 'vitest';
import {
  definitions,
  filteredIndexId,
  findDefinition,
  findFilteredIndexDefinition,
  recordLimitOf,
} from '../../../src/config/definitions.js';
import { describeConfig } from '../../../src/config/describe.js';
import { buildConfig } from '../../../src/config/load.js';
import { openverse, type OpenverseOverrides } from '../../../src/config/presets/openverse.js';
import { listEmbeddedParts, resolveEnvironment } from '../../../src/config/resolve.js';
import type { TransformRow } from '../../../src/config/types.js';
import { imageDocument } from '../../../src/documents/image.js';

const build = (overrides: OpenverseOverrides = {}, env: Record<string, string> = {}) =>
  buildConfig(openverse(overrides), { env, file: null, folder: '/project' });

describe('the Openverse preset', () => {
  it('has each media type in each environment, with the ids of the specification', async () => {
    const config = await build();
    expect(definitions(config).map(({ id }) => id)).toEqual([
      'local_image_data_refresh',
      'local_audio_data_refresh',
      'staging_image_data_refresh',
      'staging_audio_data_refresh',
      'production_image_data_refresh',
      'production_audio_data_refresh',
    ]);
    expect(definitions(config).map(filteredIndexId)).toContain('staging_create_filtered_audio_index');
  });

  it('has the workers, shards, schedules and gates of the specification', async () => {
    const { local, staging, production } = (await build()).environments;
    expect([local?.workers, staging?.workers, production?.workers]).toEqual([1, 2, 6]);
    expect(production?.media['image']).toEqual({ schedule: '0 0 * * 1', shards: 18, recordLimit: undefined });
    expect(production?.media['audio']).toEqual({ schedule: '0 0 * * 1', shards: 1, recordLimit: undefined });
    expect(staging?.media['image']).toEqual({ schedule: null, shards: 18, recordLimit: undefined });
    expect(local?.media['image']?.shards).toBe(1);
    expect(production?.gate).toMatchObject({
      sourceLossShareMax: 0.2,
      totalLossShareMax: 0.1,
      sampleRows: 10_000,
      rejectsMax: 0,
      allowEmpty: false,
    });
    expect(local?.gate).toMatchObject({
      sourceLossShareMax: null,
      totalLossShareMax: null,
      allowEmpty: false,
    });
    expect(production?.search).toMatchObject({
      replicas: null,
      refreshInterval: '1s',
      reindexDocsPerSecond: 20_000,
    });
  });

  it('D16: renames set_position to audio_set_position', async () => {
    const { audio } = (await build()).media;
    expect(audio?.main.renames).toEqual({ set_position: 'audio_set_position' });
    expect(audio?.additional[0]).toMatchObject({
      upstream: 'audioset_view',
      downstream: 'audioset',
      key: ['foreign_identifier', 'provider'],
      deletedMediaTable: null,
    });
  });

  it('keeps the rest when one key of it is changed', async () => {
    const config = await build({
      environments: { production: { workers: 12 } },
      media: { image: { tagRules: { droppedNames: ['X'] } } },
    });
    expect(config.environments['production']).toMatchObject({ workers: 12, gate: { sampleRows: 10_000 } });
    expect(config.media['image']?.tagRules).toMatchObject({ accuracyMin: 0.9, droppedNames: ['x'] });
  });

  it('is frozen all the way down', async () => {
    const config = await build();
    expect(() => Object.assign(config.environments['local'] ?? {}, { workers: 9 })).toThrow(TypeError);
    expect(() => Object.assign(config.media['image']?.index.mappings['properties'] ?? {}, { x: 1 })).toThrow(
      TypeError,
    );
  });

  it("takes a media type of the user's own, with its own documents and hook", async () => {
    const transform = (row: TransformRow) =>
      row['hidden'] === 't' ? null : { ...row, title: row['title']?.trim() ?? null };
    const config = await build({
      environments: { local: { media: { model_3d: { recordLimit: 5 } } } },
      media: {
        model_3d: {
          main: { upstream: 'source.models', downstream: 'models', transform },
          index: { alias: 'models', filteredAlias: 'models-filtered', mappings: { dynamic: false } },
          document: { version: '1', columns: ['title'], build: (row) => ({ title: row['title'] }) },
        },
      },
    });
    const definition = findDefinition(config, ['local', 'model_3d']);
    expect(definition.id).toBe('local_model_3d_data_refresh');
    expect(definition.media.main).toMatchObject({
      key: ['identifier'],
      idColumn: 'id',
      deletedMediaTable: null,
    });
    expect(definition.media.main.transform?.({ hidden: 'f', title: ' a ' })).toEqual({
      hidden: 'f',
      title: 'a',
    });
    expect(definition.media.document.build({ title: 'b' }, { sensitive: false })).toEqual({ title: 'b' });
    expect(recordLimitOf(config, definition)).toBe(5);
  });

  it('D20: every environment may set its own limits and they are shown', async () => {
    const config = await build({ environments: { staging: { gate: { rejectsMax: 7 } } } });
    expect(JSON.stringify(describeConfig(config, {}))).toContain('"rejectsMax":7');
  });
});

describe('record limits', () => {
  it('go by the host environment, not by the target', async () => {
    const limits = async (env: Record<string, string>) => {
      const config = await build({}, env);
      return definitions(config).map((definition) => recordLimitOf(config, definition));
    };
    expect(await limits({})).toEqual([10_000, 10_000, 10_000, 10_000, 10_000, 10_000]);
    expect(await limits({ FRESHET_HOST_ENVIRONMENT: 'production' })).toEqual([
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  it('of null means all, also on a local host', async () => {
    const config = await build({ environments: { local: { media: { image: { recordLimit: null } } } } });
    expect(recordLimitOf(config, findDefinition(config, ['local image']))).toBeNull();
  });
});

describe('finding a definition', () => {
  it('takes the id or environment and media type', async () => {
    const config = await build();
    expect(findDefinition(config, ['local_image_data_refresh']).id).toBe('local_image_data_refresh');
    expect(findDefinition(config, ['staging', 'audio']).id).toBe('staging_audio_data_refresh');
    expect(findFilteredIndexDefinition(config, ['local_create_filtered_image_index']).media.name).toBe(
      'image',
    );
  });

  it('names what was probably meant', async () => {
    const config = await build();
    expect(() => findDefinition(config, ['local', 'imgae'])).toThrow(
      /There is no definition "local imgae"\. Did you mean "local image"/,
    );
    expect(() => findDefinition(config, ['loacl_image_data_refresh'])).toThrow(
      /Did you mean "local_image_data_refresh"/,
    );
    expect(() => findDefinition(config, [])).toThrow(/There are: local_image_data_refresh, /);
  });
});

describe('URLs', () => {
  const secret = 'postgres://user:pa%27ss@db:5432/api';

  it('of the local environment are embedded parts when their variables are unset', async () => {
    const config = await build();
    expect(config).toMatchObject({
      stateUrl: null,
      environments: { local: { catalogUrl: null, apiUrl: null, sensitiveTerms: null } },
    });
    expect(config.environments['local']?.search.urls).toBeNull();
    expect(listEmbeddedParts(config, 'local')).toEqual(['catalog', 'api', 'state', 'search']);
    const embedded = { catalogUrl: 'c', apiUrl: 'a', stateUrl: 's', searchUrl: 'e' };
    expect(await resolveEnvironment(config, 'local', {}, embedded)).toEqual({
      name: 'local',
      catalogUrl: 'c',
      apiUrl: 'a',
      stateUrl: 's',
      searchUrls: ['e'],
    });
  });

  it('that are set take the place of embedded ones, each for itself', async () => {
    const env = { FRESHET_API_URL: secret };
    const config = await build({}, env);
    expect(listEmbeddedParts(config, 'local')).toEqual(['catalog', 'state', 'search']);
    const embedded = { catalogUrl: 'c', apiUrl: 'a', stateUrl: 's', searchUrl: 'e' };
    expect((await resolveEnvironment(config, 'local', env, embedded)).apiUrl).toBe(secret);
  });

  it('that are unset are an error only when the environment is used, which names every variable', async () => {
    const config = await build();
    const embedded = { catalogUrl: 'c', apiUrl: 'a', stateUrl: 's', searchUrl: 'e' };
    await expect(resolveEnvironment(config, 'staging', {}, embedded)).rejects.toThrow(
      /FRESHET_CATALOG_URL is not set[\s\S]*FRESHET_STAGING_API_URL[\s\S]*FRESHET_STATE_URL[\s\S]*FRESHET_STAGING_SEARCH_URL/,
    );
  });

  it("in a variable of the user's own are never replaced by embedded parts", async () => {
    const config = await build({ environments: { local: { apiUrl: { env: 'MY_API' } } } });
    const embedded = { catalogUrl: 'c', apiUrl: 'a', stateUrl: 's', searchUrl: 'e' };
    await expect(resolveEnvironment(config, 'local', {}, embedded)).rejects.toThrow('MY_API is not set');
  });

  it('are never printed, only where they come from', async () => {
    const env = { FRESHET_API_URL: secret };
    const printed = JSON.stringify(describeConfig(await build({}, env), env));
    expect(printed).toContain('env FRESHET_API_URL (set)');
    expect(printed).toContain('env FRESHET_PRODUCTION_API_URL (not set)');
    expect(printed).toContain('"catalogUrl":"embedded"');
    expect(printed).not.toContain('pa%27ss');
    expect(printed).toContain('function build');
  });

  it('of an unknown environment name the known ones', async () => {
    await expect(resolveEnvironment(await build(), 'stagign', {})).rejects.toThrow('Did you mean "staging"?');
  });
});

describe('a document', () => {
  it('of the preset is the built-in one', async () => {
    expect((await build()).media['image']?.document.build).toBe(imageDocument.build);
  });
});
