import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecrets, secretTexts, webhookTexts } from '../../../src/refresh/hooks/secrets.js';

describe('what a hook writes', () => {
  const url = 'postgres://user:pass%20word@host:5432/db?sslkey=abc';

  it.each([
    [url, '***'],
    ['the password is pass%20word', 'the password is ***'],
    ['decoded: pass word.', 'decoded: ***.'],
    ['the query sslkey=abc', 'the query ***'],
    ['nothing secret: host, user, db', 'nothing secret: host, user, db'],
  ])('%s is shown as %s', (text, shown) => {
    expect(maskSecrets(text, secretTexts([url]))).toBe(shown);
  });

  it('shows no path of a webhook, which alone is a secret', () => {
    const hook = new URL('https://hooks.example.org/services/T0/B0');
    expect(maskSecrets('POST /services/T0/B0 failed', webhookTexts(hook))).toBe('POST *** failed');
    expect(webhookTexts(new URL('https://hooks.example.org'))).toEqual([]);
  });

  it('never holds a password, wherever it stands and however it was written', () => {
    const password = fc.string({ minLength: 3, maxLength: 30 }).filter((text) => !/^\*+$/.test(text));
    fc.assert(
      fc.property(password, fc.string(), fc.string(), (secret, before, after) => {
        const secrets = secretTexts([`https://user:${encodeURIComponent(secret)}@host/`]);
        const text = `${before} ${secret} ${encodeURIComponent(secret)} ${after}`;
        expect(maskSecrets(text, secrets)).not.toContain(secret);
      }),
    );
  });
});
