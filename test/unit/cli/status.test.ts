import { describe, expect, it } from 'vitest';
import { describeFailure, statusOfError, statusOfRun } from '../../../src/cli/output.js';
import { FreshetError } from '../../../src/errors.js';
import type { Run, RunError } from '../../../src/state/runs.js';

const run = (state: Run['state'], error: Partial<RunError> | null = null): Run => ({
  id: 'r',
  definition: 'local_image_data_refresh',
  environment: 'local',
  media: 'image',
  flow: 'refresh',
  parameters: {
    indexSuffix: 'a',
    skipCopyData: false,
    allowConcurrent: false,
    recordLimit: null,
    originSuffix: null,
    destinationSuffix: null,
  },
  state,
  error:
    error === null
      ? null
      : { code: 'INTERNAL', message: 'm', remedy: 'do this', phase: null, details: {}, ...error },
  attempt: 1,
  cancelRequestedAt: null,
  promotionBeganAt: null,
  createdAt: new Date(0),
  startedAt: null,
  finishedAt: null,
});

describe('the exit status', () => {
  it.each([
    ['done', run('succeeded'), 0],
    ['failed', run('failed', { code: 'DATABASE_UNREACHABLE' }), 1],
    ['refused by a check', run('refused', { code: 'GATE_REFUSED' }), 2],
    ['a configuration that only the servers show to be wrong', run('failed', { code: 'SAME_DATABASE' }), 64],
    ['failed with a code of another version', run('failed', { code: 'OF_TOMORROW' }), 1],
    ['cancelled', run('cancelled'), 1],
    ['held', run('held'), 0],
    ['held again, since its promotion was refused', run('held', { code: 'GATE_REFUSED' }), 2],
    ['held again, since a server was down', run('held', { code: 'SEARCH_UNREACHABLE' }), 1],
  ])('of a run that is %s', (_how, ended, status) => {
    expect(statusOfRun(ended)).toBe(status);
  });

  it('of an error follows its kind; what is unknown is a failure', () => {
    expect(statusOfError(new FreshetError('USAGE', ''))).toBe(64);
    expect(statusOfError(new FreshetError('SAMPLE_REFUSED', ''))).toBe(2);
    expect(statusOfError(new FreshetError('SEARCH_UNREACHABLE', ''))).toBe(1);
    expect(statusOfError(new TypeError(''))).toBe(1);
    expect(statusOfError('a text')).toBe(1);
  });
});

it('a failed run is told with its phase, what happened, its code, and what to do', () => {
  const text = describeFailure(
    run('failed', { phase: 'reindex', code: 'SLICE_FAILED', message: 'Slice 3 failed.' }),
  );
  // eslint-disable-next-line no-control-regex -- colours of a terminal
  expect(text.replaceAll(/\u001b\[\d+m/g, '')).toBe(
    'failed in reindex: Slice 3 failed. (SLICE_FAILED)\n→ do this',
  );
});
