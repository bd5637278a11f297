import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Named points in production code at which a test may hold a process, to do something to the servers meanwhile. No-ops unless
 * `FRESHET_PAUSE_FOLDER` names a folder: a process that comes to a point waits as long as the folder has a file with the point's name, and
 * says that it does by making `<name>.reached`.
 */
const folder = process.env['FRESHET_PAUSE_FOLDER'];

/** How often a held process looks whether it may go on. */
const lookMs = 20;

/** Passes the point `name`; waits there where a test wants it to. */
export async function pausepoint(name: string): Promise<void> {
  if (folder === undefined) return;
  const file = join(folder, name);
  if (!existsSync(file)) return;
  writeFileSync(`${file}.reached`, '');
  while (existsSync(file)) await sleep(lookMs);
}
