import { FreshetError } from '../errors.js';
import { noSpaceLookMs, noSpaceWaitMs } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { pause } from '../pause.js';

type Settings = Readonly<Record<string, { readonly settings: Readonly<Record<string, unknown>> }>>;

const fullBlock = 'index.blocks.read_only_allow_delete';

/**
 * Looks now and then whether the engine has blocked an index because its disks are full. Its own reindex task would try on for minutes without
 * a word.
 */
export class SpaceWatch {
  private lookedAt = performance.now();
  private fullSince: number | null = null;

  /** @param index the index, or an alias of it. */
  constructor(
    private readonly client: SearchClient,
    private readonly index: string,
  ) {}

  /** Waits while the index is blocked: a task of the engine that meets the block cannot be ended for minutes. Throws SEARCH_NO_SPACE where it stays. */
  async waitForRoom(signal: AbortSignal): Promise<void> {
    this.lookedAt = -Infinity;
    await this.look();
    while (this.fullSince !== null) {
      await pause(noSpaceLookMs, signal);
      await this.look();
    }
  }

  /** Throws SEARCH_NO_SPACE where the block stays. */
  async look(): Promise<void> {
    const now = performance.now();
    if (now - this.lookedAt < noSpaceLookMs) return;
    this.lookedAt = now;
    if (!(await this.isBlocked())) {
      this.fullSince = null;
      return;
    }
    this.fullSince ??= now;
    if (now - this.fullSince < noSpaceWaitMs) return;
    throw new FreshetError(
      'SEARCH_NO_SPACE',
      `The disks of the search cluster are nearly full: it has blocked writes to ${this.index} for ${Math.round((now - this.fullSince) / 1000)} s.`,
    );
  }

  private async isBlocked(): Promise<boolean> {
    const { body } = await callEngine<Settings>(this.client, {
      method: 'GET',
      path: [this.index, '_settings', fullBlock],
      query: { flat_settings: true },
      what: `looking for a write block of ${this.index}`,
      accept: [404],
      repeatable: true,
    });
    return Object.values(body).some((one) => String(one.settings?.[fullBlock]) === 'true');
  }
}
