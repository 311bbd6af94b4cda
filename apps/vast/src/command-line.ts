/** White space between words, and what a word is made of: text in quotes, one escaped character, or any other character. */
const PIECE = /\s+|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y;
/** What a backslash escapes inside of double quotes (POSIX shell, 2.2.3). */
const ESCAPED_IN_QUOTES = /\\([$`"\\\n])/g;

/**
 * The words of a command line by the rules of the POSIX shell for quotes and backslashes; nothing is expanded.
 * @returns undefined where a quote is not closed
 */
export function splitCommandLine(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < line.length) {
    const match = PIECE.exec(line);
    if (match === null) return undefined;
    const [, single, double, escaped, plain] = match;
    const piece = single ?? double?.replace(ESCAPED_IN_QUOTES, "$1") ?? escaped ?? plain;
    if (piece !== undefined) word = (word ?? "") + piece;
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  return word === undefined ? words : [...words, word];
}

/** What the placeholders of a command line stand for. */
export interface Placeholders {
  /** `%ioc` */
  readonly ioc: string;
  /** `%matchtype` */
  readonly matchType: string;
}

/**
 * Puts values in the place of `%ioc` and `%matchtype`. The line was split before: a value never becomes several words,
 * and a placeholder inside of a value is plain text.
 */
export function fillPlaceholders(words: readonly string[], { ioc, matchType }: Placeholders): string[] {
  return words.map((word) => word.replace(/%ioc|%matchtype/g, (name) => (name === "%ioc" ? ioc : matchType)));
}
