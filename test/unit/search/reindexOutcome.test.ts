import { describe, expect, it } from 'vitest';
import { outcomeOf, type TaskBody } from '../../../src/search/reindexTask.js';

type Response = NonNullable<TaskBody['response']>;
const fine: Response = {
  total: 5,
  created: 3,
  updated: 2,
  version_conflicts: 0,
  timed_out: false,
  failures: [],
};
const ended = (response: Partial<Response>): TaskBody => ({
  completed: true,
  response: { ...fine, ...response },
});

describe("D41: a reindex task's outcome", () => {
  it('is the number of documents that were written', () => {
    expect(outcomeOf(ended({}))).toEqual({ documents: 5 });
  });

  it.each<[string, Partial<Response>]>([
    [
      'a failure',
      { failures: [{ id: '7', status: 400, cause: { type: 'mapper_parsing_exception', reason: 'no' } }] },
    ],
    ['a version conflict', { version_conflicts: 1 }],
    ['the timed-out flag', { timed_out: true }],
    ['a cancellation', { canceled: 'by user request' }],
    ['a document too few', { created: 2 }],
  ])('%s is a fault that is not tried again', (_name, response) => {
    expect(outcomeOf(ended(response))).toMatchObject({ isPassing: false });
  });

  it('names the document that failed', () => {
    const outcome = outcomeOf(ended({ failures: [{ id: '7', cause: { type: 'x', reason: 'y' } }] }));
    expect(outcome).toMatchObject({ fault: expect.stringContaining('document 7: x: y') as string });
  });

  it.each<[string, TaskBody]>([
    ['without a result', { completed: true }],
    ['whose node left', { completed: true, error: { type: 'node_disconnected_exception' } }],
    [
      'that began while a restarted cluster brought its shards back',
      {
        completed: true,
        error: {
          type: 'search_phase_execution_exception',
          reason: '',
          caused_by: {
            type: 'search_phase_execution_exception',
            reason: 'Search rejected due to missing shards [[part][1]].',
          },
        },
      },
    ],
    ['whose writes were refused by an overloaded node', ended({ failures: [{ status: 429 }] })],
  ])('a task %s is tried again', (_name, body) => {
    expect(outcomeOf(body)).toMatchObject({ isPassing: true });
  });

  it('an error of another kind is not', () => {
    expect(outcomeOf({ completed: true, error: { type: 'illegal_argument_exception' } })).toMatchObject({
      isPassing: false,
    });
  });
});
