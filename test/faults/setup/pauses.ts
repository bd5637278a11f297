import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const reachMs = 90_000;

/** Points at which processes wait (`src/pausepoint.ts`): those that are started with `env`. */
export class Pauses {
  private constructor(private readonly folder: string) {}

  static async at(points: readonly string[]): Promise<Pauses> {
    const folder = await mkdtemp(join(tmpdir(), 'freshet-pause-'));
    for (const point of points) await writeFile(join(folder, point), '');
    return new Pauses(folder);
  }

  get env(): { readonly FRESHET_PAUSE_FOLDER: string } {
    return { FRESHET_PAUSE_FOLDER: this.folder };
  }

  /** Waits until a process waits at `point`. @param whyNot called while it does not; throws when none will ever. */
  async reach(point: string, whyNot: () => Promise<void> | void = () => undefined): Promise<void> {
    const deadline = Date.now() + reachMs;
    while (!existsSync(join(this.folder, `${point}.reached`))) {
      await whyNot();
      if (Date.now() > deadline) throw new Error(`${point} was not reached`);
      await sleep(20);
    }
  }

  /** Holds whoever comes to `point` from now on. */
  async hold(point: string): Promise<void> {
    await rm(join(this.folder, `${point}.reached`), { force: true });
    await writeFile(join(this.folder, point), '');
  }

  /** Lets it go on from `point`. */
  release(point: string): Promise<void> {
    return rm(join(this.folder, point));
  }
}
