/**
 * Where the elements of a JSON list are in its text, so that some of them can be left out without printing the others anew: parsing and
 * printing would change `0.90`, `1e2` and integers beyond 2^53.
 */

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;

/**
 * The raw texts of the elements of a JSON list, without the white space around them.
 * @param json a text that JSON.parse accepts and reads as a list.
 */
export function cutListElements(json: string): string[] {
  const last = json.lastIndexOf(']');
  const elements: string[] = [];
  let start = json.indexOf('[') + 1;
  let depth = 0;
  for (let at = start; at < last; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quote) at = endOfString(json, at);
    else if (code === comma && depth === 0) {
      elements.push(json.slice(start, at).trim());
      start = at + 1;
    } else depth += depthChange(code);
  }
  const rest = json.slice(start, last).trim();
  return rest === '' && elements.length === 0 ? [] : [...elements, rest];
}

/** `{` and `[` open a level, `}` and `]` close one. */
function depthChange(code: number): number {
  if (code === 0x7b || code === 0x5b) return 1;
  return code === 0x7d || code === 0x5d ? -1 : 0;
}

/** Where the closing quote of the string that begins at `start` is. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json.charCodeAt(at) !== quote) at += json.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}
