import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { dropRoles, makeRoles, promoteTwice, seedGroups } from './randomShapes.js';

beforeAll(() => makeRoles(inject('parts').apiUrl));
afterAll(() => dropRoles(inject('parts').apiUrl));

test.each(seedGroups)(
  'D27–D31: the tables of seeds %i to %i are what they were after two promotions, but for the declared column',
  async (...group) => {
    expect(await promoteTwice(group, { url: inject('parts').apiUrl, version: 18 })).toEqual([]);
  },
);
