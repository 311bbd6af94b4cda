/** Classes of characters in patterns (stix.md 3.1), as bits. */

export const NAME_START = 1;
export const NAME_PART = 2;
export const DIGIT = 4;
export const HEX_DIGIT = 8;
export const BASE64 = 16;
/** Digits, signs and the dot. */
export const NUMBER_START = 32;
/** What stands for itself: `: . , ( ) [ ] *` */
export const PUNCTUATION = 64;
const SPACE = 128;

const DIGITS = "0123456789";
const HEX_LETTERS = "abcdefABCDEF";
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const WIDE_SPACES = /[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

const CLASSES = new Uint8Array(128);
for (const [characters, kinds] of [
  [`${LETTERS}_`, NAME_START | NAME_PART],
  [DIGITS, NAME_PART | DIGIT | HEX_DIGIT | NUMBER_START],
  [HEX_LETTERS, HEX_DIGIT],
  [`${LETTERS}${DIGITS}+/`, BASE64],
  ["+-.", NUMBER_START],
  [":.,()[]*", PUNCTUATION],
  ["\t\n\v\f\r ", SPACE],
] as const) {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    CLASSES[code] = (CLASSES[code] ?? 0) | kinds;
  }
}

/** The classes of a character; 0 for everything outside ASCII. */
export function classOf(code: number): number {
  return code < 128 ? (CLASSES[code] ?? 0) : 0;
}

/** White space of the pattern language, within ASCII or not. */
export function isSpace(code: number): boolean {
  if (code < 128) return (classOf(code) & SPACE) !== 0;
  return WIDE_SPACES.test(String.fromCharCode(code));
}
