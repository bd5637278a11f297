import { z } from 'zod';
import {
  hookTimeoutSecondsDefault,
  hookTimeoutSecondsMax,
  hooksMax,
  swapLockWindowMinutesDefault,
  swapLockWindowMinutesMax,
  webhookTimeoutSecondsMax,
  windowsMax,
} from '../limits.js';
import { countField } from './fields.js';
import { secretReferenceField } from './secretField.js';
import { weekdays, type Hook } from './types.js';

/** The part of the schema that says when candidates are promoted, and who is asked and told. */

const dayField = z.enum(weekdays, `must be a day: ${weekdays.join(', ')}.`);

const daysField = z
  .array(dayField)
  .min(1, 'must name at least one day; leave it out for every day.')
  .default([...weekdays]);

function timeField(latest: RegExp, until: string): z.ZodString {
  return z.string().regex(latest, `must be a time of day in UTC from \`00:00\` to \`${until}\`.`);
}

const windowField = z
  .strictObject({
    days: daysField,
    from: timeField(/^([01]\d|2[0-3]):[0-5]\d$/, '23:59'),
    to: timeField(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, '24:00'),
  })
  .refine(({ from, to }) => from !== to, {
    path: ['to'],
    error: 'must differ from `from`; a whole day is from `00:00` to `24:00`.',
  });

const hookField = z
  .strictObject({
    command: z
      .array(z.string())
      .min(1, 'must name a program.')
      .refine(([program]) => program !== '', 'must begin with the name of a program.')
      .optional(),
    url: secretReferenceField.optional(),
    timeoutSeconds: countField(1, hookTimeoutSecondsMax, 'seconds').default(hookTimeoutSecondsDefault),
  })
  .refine(({ command, url }) => (command === undefined) !== (url === undefined), {
    error: 'must have either `command` (program and arguments) or `url` (a webhook).',
  })
  .refine(({ url, timeoutSeconds }) => url === undefined || timeoutSeconds <= webhookTimeoutSecondsMax, {
    path: ['timeoutSeconds'],
    error: `of a webhook must be at most ${webhookTimeoutSecondsMax}.`,
  })
  // Checked right above: it has one of the two.
  .transform((hook) => hook as Hook);

const hooksField = z.array(hookField).max(hooksMax, `must have at most ${hooksMax} hooks.`).default([]);

export const promotionFields = z.strictObject({
  windows: z.array(windowField).max(windowsMax, `must have at most ${windowsMax} windows.`).default([]),
  lockWindowMinutes: countField(1, swapLockWindowMinutesMax, 'minutes').default(swapLockWindowMinutesDefault),
  before: hooksField,
  after: hooksField,
});
