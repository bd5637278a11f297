/** A scheme and its colon; a colon before digits is a port (`example.org:8080/a`). */
const scheme = /^[a-z][a-z0-9+.-]*:(?!\d)/i;

/** Adds `https://` to a URL without scheme. Empty texts and texts with white space around stay as they are: they are no URLs. */
export function addUrlScheme(url: string): string {
  if (url === '' || url.trim() !== url || scheme.test(url)) return url;
  return url.startsWith('//') ? `https:${url}` : `https://${url}`;
}
