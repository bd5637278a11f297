import { describe, expect, test } from 'vitest';
import type { MediaConfig } from '../../../src/config/types.js';
import { noCounts } from '../../../src/indexing/slice.js';
import { Task, type TaskWork } from '../../../src/worker/task.js';
import type { TaskRequest } from '../../../src/worker/taskRequest.js';

const request: TaskRequest = {
  taskId: 'slice',
  media: { name: 'image' } as MediaConfig,
  table: { schema: 'public', name: 'temp_import_image' },
  targetIndex: 'image-x',
  slice: { kind: 'ids', startId: 1n, endId: 9n },
  runId: null,
  rejectsMax: 0,
  requireAlias: false,
};

/** Runs a task that reports these rows of 100 expected and then ends as `end` says. */
async function runTask(reads: readonly number[], end: TaskWork): Promise<{ task: Task; seen: number[] }> {
  const seen: number[] = [];
  const task: Task = new Task(request, async (progress, signal) => {
    await Promise.resolve();
    for (const read of reads) {
      progress.onProgress({ ...noCounts, read }, 100);
      seen.push(task.status().progress);
    }
    return end(progress, signal);
  });
  await task.finished;
  return { task, seen };
}

const done: TaskWork = () => Promise.resolve({ ...noCounts, read: 7, indexed: 7 });

describe("a task's progress and outcome", () => {
  test('D3: progress stays below 100 while it runs, whatever was estimated, and ends at exactly 100', async () => {
    const { task, seen } = await runTask([0, 50, 100, 5_000], done);
    expect(seen).toEqual([0, 50, 99.9, 99.9]);
    expect(task.status()).toMatchObject({ progress: 100, state: 'done', error: null });
  });

  test('D3: a task that saw all its rows and then failed is failed', async () => {
    const { task } = await runTask([100], () => Promise.reject(new Error('the disk is full')));
    expect(task.status()).toMatchObject({
      state: 'failed',
      active: false,
      error: 'the disk is full',
      error_code: 'INTERNAL',
    });
    expect(task.status().progress).toBeLessThan(100);
  });

  test('a cancelled task says why, whatever its work threw', async () => {
    const task = new Task(request, async (_, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new Error('socket closed');
    });
    task.cancel('the worker got SIGTERM');
    await task.finished;
    expect(task.status()).toMatchObject({ state: 'cancelled', error_code: 'TASK_CANCELLED' });
    expect(task.status().error).toContain('SIGTERM');
  });

  test('lists the first rejects and counts them all', async () => {
    const { task } = await runTask([], (progress) => {
      for (let id = 0; id < 10_050; id += 1) progress.onReject({ id: String(id), reason: 'bad' });
      return Promise.resolve({ ...noCounts, read: 10_050, rejected: 10_050 });
    });
    expect(task.status().rejects).toHaveLength(10_000);
    expect(task.status().counts.rejected).toBe(10_050);
  });
});
