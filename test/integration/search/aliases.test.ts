import { describe, expect, it } from 'vitest';
import { callEngine } from '../../../src/search/call.js';
import { assertAliasUsable, liveIndexOf, moveAliases, readAlias } from '../../../src/search/index.js';
import { refusedWith, useEngine } from './engine.js';

const engine = useEngine();
const { client } = engine;

async function addAlias(index: string, alias: string): Promise<void> {
  await callEngine(client, { method: 'PUT', path: [index, '_alias', alias], what: 'test' });
}

describe('D40: moving aliases', () => {
  it('moves both in one step, and reads them back', async () => {
    const [main, filtered] = [engine.name('alias'), engine.name('alias')];
    const [oldMain, oldFiltered, newMain, newFiltered] = [
      await engine.create(engine.name('old')),
      await engine.create(engine.name('old')),
      await engine.create(engine.name('new')),
      await engine.create(engine.name('new')),
    ];
    const first = await moveAliases(client, [
      { alias: main, to: oldMain, from: [] },
      { alias: filtered, to: oldFiltered, from: [] },
    ]);
    expect(first).toEqual({ moved: true, previous: { [main]: [], [filtered]: [] } });
    const moves = [
      { alias: main, to: newMain, from: [oldMain] },
      { alias: filtered, to: newFiltered, from: [oldFiltered] },
    ];
    expect(await moveAliases(client, moves)).toEqual({
      moved: true,
      previous: { [main]: [oldMain], [filtered]: [oldFiltered] },
    });
    expect([await readAlias(client, main), await readAlias(client, filtered)]).toEqual([
      [newMain],
      [newFiltered],
    ]);
    expect(await moveAliases(client, moves)).toMatchObject({ moved: false });
  });

  it('that point elsewhere than expected moves none of them', async () => {
    const [one, two] = [engine.name('alias'), engine.name('alias')];
    const [old, other, next] = [
      await engine.create(engine.name('old')),
      await engine.create(engine.name('other')),
      await engine.create(engine.name('next')),
    ];
    await addAlias(old, one);
    await addAlias(other, two);
    const moves = [
      { alias: one, to: next, from: [old] },
      { alias: two, to: next, from: [old] },
    ];
    await expect(moveAliases(client, moves)).rejects.toEqual(refusedWith('ALIAS_MISMATCH'));
    expect([await readAlias(client, one), await readAlias(client, two)]).toEqual([[old], [other]]);
  });

  it('from wherever they point leaves each on one index', async () => {
    const alias = engine.name('alias');
    const [a, b, next] = [
      await engine.create(engine.name('a')),
      await engine.create(engine.name('b')),
      await engine.create(engine.name('c')),
    ];
    await addAlias(a, alias);
    await addAlias(b, alias);
    await expect(liveIndexOf(client, alias)).rejects.toEqual(refusedWith('ALIAS_MISMATCH'));
    await moveAliases(client, [{ alias, to: next, from: null }]);
    expect(await liveIndexOf(client, alias)).toBe(next);
    await addAlias(a, alias);
    await moveAliases(client, [{ alias, to: next, from: null }]);
    expect(await readAlias(client, alias)).toEqual([next]);
  });

  it('to an index that is gone moves nothing', async () => {
    const alias = engine.name('alias');
    const old = await engine.create(engine.name('old'));
    await addAlias(old, alias);
    await expect(moveAliases(client, [{ alias, to: engine.name('gone'), from: [old] }])).rejects.toEqual(
      refusedWith('INDEX_MISSING'),
    );
    expect(await liveIndexOf(client, alias)).toBe(old);
  });

  it('with the name of a concrete index is refused', async () => {
    const [index, next] = [
      await engine.create(engine.name('concrete')),
      await engine.create(engine.name('next')),
    ];
    await expect(assertAliasUsable(client, index)).rejects.toEqual(refusedWith('ALIAS_IS_INDEX'));
    await expect(moveAliases(client, [{ alias: index, to: next, from: [] }])).rejects.toEqual(
      refusedWith('ALIAS_IS_INDEX'),
    );
    await assertAliasUsable(client, engine.name('free'));
  });

  it('never leaves a reader without an index or with two', async () => {
    const alias = engine.name('alias');
    const [a, b] = [await engine.create(engine.name('a')), await engine.create(engine.name('b'))];
    await moveAliases(client, [{ alias, to: a, from: [] }]);
    let isMoving = true;
    const seen = new Set<number>();
    const reader = (async () => {
      while (isMoving) seen.add((await readAlias(client, alias)).length);
    })();
    for (let round = 0; round < 10; round += 1) {
      await moveAliases(client, [{ alias, to: b, from: [a] }]);
      await moveAliases(client, [{ alias, to: a, from: [b] }]);
    }
    isMoving = false;
    await reader;
    expect([...seen]).toEqual([1]);
  });

  it('takes others away in the same step, from the named index only, and is harmless twice', async () => {
    const [alias, shown] = [engine.name('alias'), engine.name('shown')];
    const [old, next, other] = [
      await engine.create(engine.name('old')),
      await engine.create(engine.name('next')),
      await engine.create(engine.name('other')),
    ];
    await addAlias(old, alias);
    await moveAliases(client, [{ alias: shown, to: next, from: [], readOnly: true }]);
    await addAlias(other, shown);
    let isMoving = true;
    const seen = new Set<string>();
    const reader = (async () => {
      while (isMoving) {
        const { body } = await callEngine<Record<string, { aliases: object }>>(client, {
          method: 'GET',
          path: [next, '_alias'],
          what: 'test',
        });
        seen.add(Object.keys(body[next]?.aliases ?? {}).join());
      }
    })();
    const move = () => moveAliases(client, [{ alias, to: next, from: null }], [{ alias: shown, from: next }]);
    expect(await move()).toMatchObject({ moved: true });
    isMoving = false;
    await reader;
    expect([...seen].every((names) => names === shown || names === alias)).toBe(true);
    expect([await readAlias(client, alias), await readAlias(client, shown)]).toEqual([[next], [other]]);
    expect(await move()).toMatchObject({ moved: false });
  });

  it('that is read-only refuses documents, also where somebody had made it writable', async () => {
    const alias = engine.name('shown');
    const index = await engine.create(engine.name('next'));
    await addAlias(index, alias);
    const write = (method: 'PUT' | 'DELETE') =>
      callEngine(client, { method, path: [alias, '_doc', '1'], body: { id: 1 }, what: 'test' });
    await write('PUT');
    await moveAliases(client, [{ alias, to: index, from: [index], readOnly: true }]);
    await expect(write('PUT')).rejects.toThrow(/no write index is defined/);
    await expect(write('DELETE')).rejects.toThrow(/no write index is defined/);
  });

  it('of nothing is null', async () => {
    expect(await liveIndexOf(client, engine.name('nothing'))).toBeNull();
  });
});
