/** URLs whose user and password must be sent and never shown. */

/** `fetch` refuses URLs with user and password, and its error repeats them; they travel as a header. */
export function withoutCredentials(url: URL): {
  readonly url: URL;
  readonly headers: Record<string, string>;
} {
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  const { username, password } = url;
  if (username === '' && password === '') return { url: plain, headers: {} };
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    url: plain,
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  };
}

/** Node's `fetch failed` says nothing; its cause does (ECONNREFUSED, ENOTFOUND, a certificate). */
export function fetchFailure(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error instanceof Error ? error.message : 'unknown reason';
}
