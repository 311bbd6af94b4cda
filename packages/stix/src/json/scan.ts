/** Steps through the bytes of a JSON text. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Strings up to this length are faster to read byte by byte than to hand to a search. */
const SHORT_STRING = 32;

/** JSON's white space: space, tab, line feed, carriage return. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** Is there an odd number of backslashes before `at`? */
function isEscaped(json: Buffer, at: number): boolean {
  let before = at - 1;
  while (json[before] === BACKSLASH) before--;
  return (at - before) % 2 === 0;
}

/** Where the string that begins with the quote at `start` ends, quotes included; beyond the text where it does not end. */
export function stringEnd(json: Buffer, start: number): number {
  let at = start + 1;
  const near = Math.min(json.length, at + SHORT_STRING);
  while (at < near && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  if (at >= json.length || json[at] === QUOTE) return at + 1;
  // what stands before `at` is whole characters, so no backslash there counts for a quote at or after it
  let quote = json.indexOf(QUOTE, at);
  while (quote >= 0 && isEscaped(json, quote)) quote = json.indexOf(QUOTE, quote + 1);
  return quote < 0 ? json.length + 1 : quote + 1;
}
