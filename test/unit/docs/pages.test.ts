import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { createProgram } from '../../../src/cli/program.js';
import { findAnyDefinition } from '../../../src/config/definitions.js';
import { buildConfig, loadConfig } from '../../../src/config/load.js';
import { openverse } from '../../../src/config/presets/openverse.js';
import { environmentOf } from '../../../src/config/resolve.js';
import { configSchema } from '../../../src/config/schema.js';
import { listKeys } from '../../../src/config/schemaKeys.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

interface Page {
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly { readonly language: string; readonly text: string }[];
  /** Code within sentences, on one line each. */
  readonly spans: readonly string[];
  /** What is left: no code. */
  readonly prose: string;
}

const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;
const span = /`([^`]+)`/g;

function readPage(file: string): Page {
  const text = readFileSync(join(root, file), 'utf8');
  const rest = text.replaceAll(fence, '');
  return {
    file,
    text,
    blocks: [...text.matchAll(fence)].map(([, language = '', block = '']) => ({ language, text: block })),
    spans: [...rest.matchAll(span)].map(([, code = '']) => code.replaceAll(/\s+/g, ' ')),
    prose: rest.replaceAll(span, ''),
  };
}

const files = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];
const pages = files.sort().map(readPage);
const cases = <T>(casesOf: (page: Page) => readonly T[]): (readonly [file: string, found: T])[] =>
  pages.flatMap((page) => [...new Set(casesOf(page))].map((found) => [page.file, found] as const));

/** The anchor that a heading gets where pages are shown. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function anchorsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replaceAll(fence, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

const links = cases(({ prose }) =>
  [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target)),
);

describe('a link', () => {
  it.each(links)('of %s leads somewhere: %s', (file, target) => {
    const [path = '', anchor] = target.split('#');
    const found = path === '' ? join(root, file) : join(root, dirname(file), path);
    expect(existsSync(found), found).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(found)).toContain(anchor);
  });
});

/** Names of sessions look like commands. */
const sessionNames = ['<what> <run> <process>', 'copy <run>'];
/** `<run>`, `{run}`, RUN, N, …: what the reader fills in. */
const placeholder = /[<{…]|\b[A-Z]+\b/;

/** Command lines of blocks: as they are typed, or in a service's unit. */
const typed = cases(({ blocks }) =>
  blocks.flatMap(({ text }) =>
    text.split('\n').flatMap((line) => {
      const [, words] = /^\s*(?:\$ )?(?:ExecStart=\S+ )?(?:npx )?freshet (.+)$/.exec(line) ?? [];
      // Without comment, what follows it in the shell, and the marks of what may be left out.
      return words === undefined
        ? []
        : [words.replace(/\s+#.*$|\s*(\|\||&&|;).*$/, '').replaceAll(/[[\]]/g, '')];
    }),
  ),
);
const mentioned = cases(({ spans }) =>
  spans.flatMap((code) => /^(?:npx )?freshet (.+)$/.exec(code)?.[1] ?? []),
).filter(([, words]) => !sessionNames.includes(words));

const config = await buildConfig(openverse(), { env: {}, file: null, folder: '/' });

async function findCommand(name: string): Promise<Command> {
  const command = (await createProgram()).commands.find((one) => one.name() === name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return command.configureOutput({ writeErr: () => undefined });
}

/** Definitions and environments that are named must be those of the preset. */
function assertNamed(command: Command, operands: readonly string[]): void {
  if (operands.length === 0 || operands.some((word) => placeholder.test(word))) return;
  const [argument] = command.registeredArguments;
  if (argument?.name() === 'definition') findAnyDefinition(config, operands);
  if (argument?.name() === 'environment' && operands[0] !== 'environment') {
    environmentOf(config, operands[0] ?? '');
  }
}

/** As the command line takes it: options with their values, and as many words as there must be. */
function assertTypable(command: Command, words: readonly string[]): void {
  const { operands, unknown } = command.parseOptions([...words]);
  expect(unknown).toEqual([]);
  const { registeredArguments: taken, options } = command;
  expect(operands.length).toBeGreaterThanOrEqual(taken.filter(({ required }) => required).length);
  if (!taken.some(({ variadic }) => variadic)) expect(operands.length).toBeLessThanOrEqual(taken.length);
  for (const option of options.filter(({ mandatory }) => mandatory)) expect(words).toContain(option.long);
  assertNamed(command, operands);
}

/** Only a part of it may be said: the command exists, and so do the options that are named. */
function assertKnown(command: Command, words: readonly string[]): void {
  const named = words.filter((word) => word.startsWith('-'));
  for (const option of named) {
    expect(command.options.flatMap(({ long, short }) => [long, short, `${long}=`])).toContain(option);
  }
  const operands = words.slice(0, named.length === 0 ? undefined : words.indexOf(named[0] ?? ''));
  assertNamed(command, operands);
}

describe('a command', () => {
  it.each(typed)('that %s shows can be typed: freshet %s', async (_file, line) => {
    const [name = '', ...words] = line.trim().split(/\s+/);
    assertTypable(await findCommand(name), words);
  });

  it.each(mentioned)('that %s mentions exists with its options: freshet %s', async (_file, line) => {
    const [name = '', ...words] = line.split(' ');
    if (name !== 'help') assertKnown(await findCommand(name), words);
  });

  it('is found in the pages', () => {
    expect(typed.length).toBeGreaterThan(20);
    expect(mentioned.length).toBeGreaterThan(50);
  });
});

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const npmScripts = cases(({ text }) =>
  [...text.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)].map(([, name = '']) => name),
);

describe('a script', () => {
  it.each(npmScripts)('that %s names exists: npm run %s', (_file, name) => {
    expect(Object.keys(scripts)).toContain(name);
  });
});

const topKeys = Object.keys(configSchema.shape);

/** A piece of a YAML configuration is laid over the preset, as its page says or means. */
function asConfiguration(language: string, text: string): { name: string; text: string } | null {
  if (language === 'ts') return text.includes('defineConfig(') ? { name: 'freshet.config.ts', text } : null;
  if (language !== 'yaml') return null;
  const piece: unknown = parse(text);
  if (typeof piece !== 'object' || piece === null || !Object.keys(piece).some((key) => topKeys.includes(key)))
    return null;
  return { name: 'freshet.config.yaml', text: stringify({ preset: 'openverse', ...piece }) };
}

const configurations = pages.flatMap(({ file, blocks }) =>
  blocks.flatMap(({ language, text }) => {
    const configuration = asConfiguration(language, text);
    return configuration === null ? [] : [{ file, configuration }];
  }),
);
const allKeys = new Set(listKeys(configSchema));
const namedKeys = cases(({ spans }) =>
  spans.filter((code) => /^(environments|media)\.<name>\.[\w.<>]+$|^gate\.\w+$/.test(code)),
);

describe('a configuration', () => {
  it.each(configurations)('that $file shows loads', async ({ configuration }) => {
    const folder = mkdtempSync(join(tmpdir(), 'freshet-pages-'));
    try {
      writeFileSync(join(folder, configuration.name), configuration.text);
      const { environments } = await loadConfig({ cwd: folder, env: {} });
      expect(environments['production']).toBeDefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(namedKeys)('has the key that %s names: %s', (_file, key) => {
    expect([...allKeys].some((known) => known === key || known.endsWith(`.${key}`))).toBe(true);
  });

  it('is shown where it is explained', () => {
    expect(new Set(configurations.map(({ file }) => file))).toEqual(
      new Set(['configuration', 'migrate', 'promotion'].map((name) => join('docs/guide', `${name}.md`))),
    );
  });
});
