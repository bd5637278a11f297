import { FreshetError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { pausepoint } from '../../pausepoint.js';
import { callHook, hooksOf } from '../hooks.js';
import type { Step } from '../phase.js';

/** How many hooks said yes. */
export interface HooksCalled {
  readonly hooks: number;
}

/** Asks every hook in its order; the first that says no refuses the promotion. */
export const callBeforeHooks: Step<HooksCalled> = async (context, report) => {
  const hooks = hooksOf(context, 'before');
  // What is half live must become live, whatever a hook would say now.
  if (context.run.promotionBeganAt !== null) return { hooks: 0 };
  for (const place of hooks.keys()) {
    report({ done: place, total: hooks.length, unit: 'hooks' });
    failpoint('before-hooks.next');
    const { isYes, told } = await callHook(context, 'before', place);
    failpoint('before-hooks.called');
    await pausepoint('before-hooks.called');
    if (!isYes) {
      throw new FreshetError('HOOK_REFUSED', `Not promoted: ${told}`, { run: context.run.id });
    }
    await context.event('info', 'hook.done', told);
  }
  return { hooks: hooks.length };
};

/** Tells every hook in its order, also when one fails: they are independent of each other, and the promotion stands. */
export const callAfterHooks: Step<HooksCalled> = async (context, report) => {
  const hooks = hooksOf(context, 'after');
  const failures: string[] = [];
  for (const place of hooks.keys()) {
    report({ done: place, total: hooks.length, unit: 'hooks' });
    failpoint('after-hooks.next');
    const { isYes, told } = await callHook(context, 'after', place);
    failpoint('after-hooks.called');
    await pausepoint('after-hooks.called');
    if (isYes) await context.event('info', 'hook.done', told);
    else failures.push(told);
  }
  if (failures.length > 0) throw new FreshetError('HOOK_FAILED', failures.join('; '));
  return { hooks: hooks.length };
};
