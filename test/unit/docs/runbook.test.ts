import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A question of the runbook with what shows its answer. */
interface Question {
  readonly part: string;
  readonly question: string;
  /** Scenario folders, and titles in the files of tests. */
  readonly shown: readonly { readonly path: string; readonly title: string | null }[];
}

function readQuestions(): Question[] {
  const text = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
  const parts = text.split(/^## /m).slice(1);
  return parts.flatMap((part) =>
    part
      .split(/^### /m)
      .slice(1)
      .map((section) => ({
        part: part.split('\n')[0] ?? '',
        question: section.split('\n')[0] ?? '',
        shown: readShown(/^Shown by: ([\s\S]+?)(?:\n\n|\n?$)/m.exec(section)?.[1] ?? ''),
      })),
  );
}

/** `path` “title”, “title”; `path` … */
function readShown(text: string): Question['shown'] {
  const places = text.replaceAll(/\s+/g, ' ').split(/(?=`test\/)/);
  return places.flatMap((place): Question['shown'] => {
    const path = /^`(test\/[^`]+)`/.exec(place)?.[1];
    if (path === undefined) return [];
    const titles = [...place.matchAll(/“([^”]+)”/g)].map(([, title = '']) => title);
    return titles.length === 0 ? [{ path, title: null }] : titles.map((title) => ({ path, title }));
  });
}

const questions = readQuestions();

describe('docs/runbook.md', () => {
  it('has an answer for every part that can die, be full, be slow or answer nonsense', () => {
    const asked = questions.map(({ part, question }) => `${part}: ${question}`);
    for (const [part, words] of Object.entries({
      'The orchestrator': ['dies', 'freezes'],
      'The catalog database': ['dies', 'full', 'slow', 'nonsense'],
      'The API database': ['dies', 'full', 'in the way', 'another shape|migrates'],
      'The state database': ['dies', 'full', 'slow', 'lost'],
      'The search cluster': ['dies', 'full', 'slow', 'nonsense'],
      'The workers': ['dies', 'full', 'headway', 'nonsense'],
      'First: look': ['see', 'stop', 'repeat', 'undo'],
    })) {
      for (const word of words)
        expect(asked).toContainEqual(expect.stringMatching(new RegExp(`^${part}: .*(${word})`)));
    }
  });

  it.each(questions)('$part: $question is shown by tests that there are', ({ shown }) => {
    expect(shown).not.toEqual([]);
    for (const { path, title } of shown) {
      expect(existsSync(join(root, path)), path).toBe(true);
      if (title === null) continue;
      const source = readFileSync(join(root, path), 'utf8').replaceAll('\\', '');
      const isQuoted = [`'`, `"`, '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
      expect(isQuoted, `${path} has a test “${title}”`).toBe(true);
    }
  });
});
