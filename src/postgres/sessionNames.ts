import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { identifierBytesMax } from '../limits.js';
import { digestOf } from './names.js';

/**
 * Sessions of a run say so in pg_stat_activity: `freshet <what> <run id> <process>`. A backend works on for hours after its client was killed
 * or frozen, since it notices that only when it answers; by the name a successor ends what its predecessor left, and a cancelled run what it
 * has open itself.
 */
export const processToken = randomBytes(4).toString('hex');

const owner = new AsyncLocalStorage<string>();

/** Everything that `work` opens belongs to this run. */
export function asRun<T>(runId: string, work: () => Promise<T>): Promise<T> {
  return owner.run(runId, work);
}

/** The run that is executed here; null = none. */
export function owningRun(): string | null {
  return owner.getStore() ?? null;
}

/** What a session of `what` is called: with run and process where it belongs to a run. */
export function sessionName(what: string): string {
  const runId = owningRun();
  return runId === null || what.includes(runId) ? what : runSessionName(what, runId);
}

/** The URL with this name. One that the user's URL has would win over ours, and nobody would find the run's sessions by it. */
export function urlWithName(url: string, name: string): string {
  const [address = '', ...rest] = url.split('?');
  const given = rest.join('?').split('&');
  const kept = given.filter((parameter) => parameter !== '' && !parameter.startsWith('application_name='));
  return `${address}?${[...kept, `application_name=${encodeURIComponent(name)}`].join('&')}`;
}

/** A name that Postgres would cut off could be another run's: a long run id is replaced by its digest. */
export function runSessionName(what: string, runId: string): string {
  const name = `${what} ${runId} ${processToken}`;
  return Buffer.byteLength(name) <= identifierBytesMax ? name : `${what} ${digestOf(runId)} ${processToken}`;
}
