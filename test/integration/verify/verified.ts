import { expect } from 'vitest';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import type { Verified } from './told.js';

/** Runs a refresh to its end. */
export async function refresh(local: LocalEnvironment, media: string, ...options: string[]): Promise<void> {
  const { status, stdout, stderr } = await local.run(['refresh', 'local', media, ...options]);
  expect(status, stdout + stderr).toBe(0);
}

/** Compares, and checks that exit status and report agree. */
export async function verify(
  local: LocalEnvironment,
  media: string,
  ...options: string[]
): Promise<{ status: number | null; told: Verified; stderr: string }> {
  const { status, stdout, stderr } = await local.run([
    'verify',
    'local',
    media,
    '--json',
    '--limit',
    '10000',
    ...options,
  ]);
  expect(stdout, stderr).not.toBe('');
  const told = JSON.parse(stdout) as Verified;
  expect(status, stdout + stderr).toBe(told.equal ? 0 : 4);
  return { status, told, stderr };
}
