import { access, constants } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Hook } from '../config/types.js';
import { configurationError } from '../config/problems.js';
import { resolveSecret } from '../config/secrets.js';
import { messageOf } from '../errors.js';
import { hookLineCharactersMax, hookLinesShown } from '../limits.js';
import type { RunContext } from './context.js';
import { runCommand, type HookAnswer } from './hooks/command.js';
import { maskSecrets, secretTexts, webhookTexts } from './hooks/secrets.js';
import { callWebhook } from './hooks/webhook.js';
import { indexNamesOf } from './indexNames.js';

/** Before or after the promotion. */
export type HookMoment = 'before' | 'after';

/** A hook that was called. */
export interface HookOutcome {
  readonly isYes: boolean;
  /** What it is called, how it ended and its last lines, without secrets. */
  readonly told: string;
}

/** The hooks of a run's environment at this moment, in their order. */
export function hooksOf({ definition }: RunContext, moment: HookMoment): readonly Hook[] {
  return definition.environment.promotion[moment];
}

/** What a hook is called in events and errors: a webhook's URL is a secret, arguments may be. */
function nameOf(hook: Hook, place: number, moment: HookMoment): string {
  const what = hook.command === undefined ? 'webhook' : hook.command[0];
  return `hook ${place + 1} ${moment} the promotion (${what})`;
}

/** Calls one hook and waits for its answer. Throws the reason of a cancellation, or CONFIGURATION_INVALID where its URL is not to be had. */
export async function callHook(context: RunContext, moment: HookMoment, place: number): Promise<HookOutcome> {
  const hook = hooksOf(context, moment)[place];
  if (hook === undefined) throw new Error(`no hook ${place} ${moment} the promotion`);
  const since = performance.now();
  const secrets = await readSecrets(context);
  const { isYes, how, output } = await answerOf(context, moment, place, hook);
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  const lines = lastLines(maskSecrets(output, secrets));
  const told = [`${nameOf(hook, place, moment)} ${how} after ${seconds} s`, ...lines].join('\n  ');
  return { isYes, told };
}

async function answerOf(
  context: RunContext,
  moment: HookMoment,
  place: number,
  hook: Hook,
): Promise<HookAnswer> {
  const call = {
    timeoutMs: hook.timeoutSeconds * 1000,
    signal: AbortSignal.any([context.cancelled, context.closing]),
  };
  const facts = factsOf(context, moment, place);
  if (hook.command !== undefined) {
    const env = { ...context.env, ...variablesOf(facts) };
    return runCommand({ ...call, command: hook.command, env, folder: folderOf(context) });
  }
  const url = new URL(await readUrl(context, moment, place, hook));
  return callWebhook({ ...call, url, body: facts, idempotencyKey: facts.idempotencyKey });
}

/** What a hook is told. Another attempt is another question; a repeat after a crash is the same one. */
function factsOf(context: RunContext, moment: HookMoment, place: number) {
  const { run, definition } = context;
  const { alias, filteredAlias } = definition.media.index;
  const { main, filtered } = indexNamesOf(context);
  return {
    idempotencyKey: `${run.id}/${run.attempt}/${moment}/${place + 1}`,
    moment,
    runId: run.id,
    definition: run.definition,
    environment: run.environment,
    media: run.media,
    flow: run.flow,
    alias,
    filteredAlias,
    index: main,
    filteredIndex: filtered,
  };
}

/** The same as environment variables: `runId` is FRESHET_RUN_ID. */
function variablesOf(facts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      `FRESHET_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
      value,
    ]),
  );
}

function folderOf({ config }: RunContext): string {
  return config.file === null ? process.cwd() : dirname(config.file);
}

function pathOf(environment: string, moment: HookMoment, place: number): string {
  return `environments.${environment}.promotion.${moment}.${place}`;
}

type Webhook = Hook & { readonly command?: undefined };

/** The webhook's URL; what is wrong with it is said without it. */
async function readUrl(
  { env, config, run }: RunContext,
  moment: HookMoment,
  place: number,
  { url }: Webhook,
): Promise<string> {
  const path = `${pathOf(run.environment, moment, place)}.url`;
  const text = await resolveSecret(url, env, path);
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw configurationError(config.file, [
    { path, reason: 'the value that it refers to is not an http or https URL.' },
  ]);
}

/** The secrets that a hook's output might repeat: URLs of the environment, and of webhooks. */
async function readSecrets(context: RunContext): Promise<string[]> {
  const { catalogUrl, apiUrl, stateUrl, searchUrls } = context.environment;
  const webhooks: string[] = [];
  for (const moment of ['before', 'after'] as const) {
    for (const [place, hook] of hooksOf(context, moment).entries()) {
      if (hook.command === undefined) webhooks.push(await readUrl(context, moment, place, hook));
    }
  }
  const { sensitiveTerms } = context.definition.environment;
  const terms =
    sensitiveTerms === null ? [] : [await resolveSecret(sensitiveTerms.from, context.env, 'sensitiveTerms')];
  return [
    ...webhooks.flatMap((url) => webhookTexts(new URL(url))),
    ...secretTexts([catalogUrl, apiUrl, stateUrl, ...searchUrls, ...webhooks, ...terms]),
  ];
}

/** Control characters would colour whoever's terminal shows the event; the state database takes no NUL. */
function lastLines(output: string): string[] {
  return stripVTControlCharacters(output)
    .replaceAll(/[^\P{Cc}\n\r\t]/gu, '')
    .split(/\r?\n/)
    .map((line) => line.trimEnd().slice(-hookLineCharactersMax))
    .filter((line) => line !== '')
    .slice(-hookLinesShown);
}

/**
 * Before hours of work: webhooks have their URLs, programs are there. Throws CONFIGURATION_INVALID, which names the key and no secret.
 */
export async function assertHooksUsable(context: RunContext): Promise<void> {
  for (const moment of ['before', 'after'] as const) {
    for (const [place, hook] of hooksOf(context, moment).entries()) {
      if (hook.command === undefined) await readUrl(context, moment, place, hook);
      else await assertProgram(context, moment, place, hook.command[0]);
    }
  }
}

async function assertProgram(
  { config, env, run }: RunContext,
  moment: HookMoment,
  place: number,
  program: string,
): Promise<void> {
  const places = program.includes('/')
    ? [program]
    : (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program));
  const failures = await Promise.all(
    places.map((file) => access(file, constants.X_OK).then(() => null, messageOf)),
  );
  if (failures.includes(null)) return;
  const path = `${pathOf(run.environment, moment, place)}.command`;
  throw configurationError(config.file, [
    { path, reason: `there is no program ${program} that can be run.` },
  ]);
}
