/** What a hook writes is shown and kept: the secrets that freshet knows are taken out of it. */

const mask = '***';

/** Every text in which the URLs' secrets may appear: the whole, the password as it is written there, and decoded. Longest first. */
export function secretTexts(urls: readonly string[]): string[] {
  const texts = urls.flatMap((url) => [url, ...partsOf(url)]);
  return [...new Set(texts)].filter((text) => text !== '').sort((a, b) => b.length - a.length);
}

function partsOf(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { password, search } = new URL(text);
  return [password, decoded(password), search.slice(1)];
}

/** A webhook's path alone is a secret, too. */
export function webhookTexts(url: URL): string[] {
  return [url.pathname, decoded(url.pathname)].filter((path) => path.length > 1);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function maskSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((masked, secret) => masked.replaceAll(secret, mask), text);
}
