import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { LocalEnvironment } from '../setup/localEnvironment.js';
import { listScenarios, readScenario } from './scenarios/scenario.js';
import { runScenario } from './scenarios/runScenario.js';

/** Every folder of `test/scenarios` is a test; what its files mean is said in the README there. */
describe.concurrent('scenario', () => {
  let prepared: LocalEnvironment;
  beforeAll(async () => {
    // Its state database is the template of all others: a second less for each.
    prepared = await LocalEnvironment.create(inject('parts'), { tables: false });
    expect(await prepared.run(['status', '--json'])).toMatchObject({ status: 0 });
  });
  afterAll(() => prepared.drop());

  for (const name of listScenarios()) {
    const scenario = readScenario(name);
    it(`${scenario.title} [${name}]`, () =>
      runScenario(scenario, inject('parts'), { state: prepared.state.name }));
  }
});
