import { CommanderError, type Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createProgram } from '../../../src/cli/program.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const commands = (await createProgram()).commands.map((command) => [command.name(), command] as const);

/** The command's help as it is printed. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

async function parse(...words: string[]): Promise<{ error: unknown; printed: string }> {
  let printed = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await (await createProgram(words[0])).parseAsync(words, { from: 'user' });
    return { error: null, printed };
  } catch (error) {
    return { error, printed };
  }
}

describe('the help', () => {
  it('of freshet lists every command with what it does, where to begin, and the exit statuses', async () => {
    const help = helpOf(await createProgram());
    for (const [name, command] of commands) {
      expect(help).toContain(`  ${name} `);
      expect(help.replaceAll(/\s+/g, ' ')).toContain(command.description().replaceAll(/\s+/g, ' '));
    }
    expect(help).toMatch(/Begin with `freshet demo`/);
    expect(help).toMatch(/Exit status: 0 done, 1 failed, 2 refused .*, 64 bad usage .*, 130 interrupted/);
  });

  it.each(commands)('of %s says what it does and what each option means', (_name, command) => {
    const help = helpOf(command);
    expect(command.description().length).toBeGreaterThan(20);
    for (const option of command.options) expect(option.description.length).toBeGreaterThan(5);
    for (const argument of command.registeredArguments) {
      expect(argument.description.length).toBeGreaterThan(5);
    }
    // A switch that is off is no default worth reading.
    expect(help).not.toContain('default: false');
  });

  it.each(['refresh', 'filtered-index', 'demo', 'load-sample-data', 'doctor'])(
    'of %s has examples that its own options accept, and the exit statuses',
    (name) => {
      const command = commands.find(([known]) => known === name)?.[1];
      if (command === undefined) throw new Error(`no command ${name}`);
      const help = helpOf(command);
      expect(help).toContain('Exit status: 0 done');
      const examples = [...help.matchAll(/^ {2}\$ freshet (.+)$/gm)].map(
        ([, words]) => words?.split(' ') ?? [],
      );
      expect(examples.length).toBeGreaterThan(1);
      for (const [called, ...words] of examples) {
        expect(called).toBe(name);
        expect(() => command.parseOptions(words)).not.toThrow();
        expect(command.parseOptions(words).unknown).toEqual([]);
      }
    },
  );

  it('is shown for a command by `freshet help <command>` and by --help', async () => {
    const [byCommand, byOption] = [await parse('help', 'refresh'), await parse('refresh', '--help')];
    expect(byCommand.printed).toBe(byOption.printed);
    expect(byOption.error).toMatchObject({ exitCode: 0 });
  });
});

describe('a command by its name', () => {
  it.each(commands)('%s is loaded alone, and is the same as in the whole', async (name, command) => {
    const alone = (await createProgram(name)).commands;
    expect(alone.map((one) => one.name())).toEqual([name]);
    expect(alone.map(helpOf)).toEqual([helpOf(command)]);
  });

  it('whatever else is asked, all are there', async () => {
    for (const word of ['help', '--help', '--version', 'refersh', 'constructor'])
      expect((await createProgram(word)).commands).toHaveLength(commands.length);
  });
});

describe('a wrong use', () => {
  it.each([
    [
      ['refresh', 'local', 'image', '--record-limits', '5'],
      /unknown option '--record-limits'[\s\S]*--record-limit/,
    ],
    [['refresh', 'local', 'image', '--recordlimit=5'], /unknown option/],
    [['status', '--jsn'], /unknown option '--jsn'[\s\S]*--json/],
    [['refersh', 'local', 'image'], /unknown command 'refersh'[\s\S]*Did you mean refresh\?/],
    [['refresh'], /missing required argument 'definition'/],
    [['worker'], /required option '--environment <name>' not specified/],
    [['worker', '--environment', 'local', '--port', '99999'], /It must be a whole number from 0 to 65535/],
    [['refresh', 'local', 'image', '--record-limit', '0'], /whole number of rows .* from 1 to/],
    [['refresh', 'local', 'image', '--index-suffix'], /argument missing/],
    [['load-sample-data', '--records', '-5'], /whole number of records from 1 to 100000000/],
    [['load-sample-data', '--seed', '1.5'], /whole number of at most nine digits/],
    [['status', '--runs', 'all'], /whole number of runs from 1 to 1000/],
    [['demo', '--records', '1e9'], /whole number of records/],
    [['config', 'local'], /too many arguments/],
  ])('%j is an error that says what is possible, and starts nothing', async (words, says) => {
    const { error, printed } = await parse(...words);
    expect(error).toBeInstanceOf(CommanderError);
    expect(error).toMatchObject({ exitCode: 1 });
    expect(printed).toMatch(says);
    expect(printed).toContain('(add --help for what is possible)');
  });
});
