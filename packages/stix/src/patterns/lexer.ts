/**
 * The tokens of STIX patterns (stix.md 3.1): always the longest one. The lexer stands on one token at a time and
 * makes no objects; `kind`, `start` and `end` say where it is.
 */
import { classOf, isSpace, NAME_PART, NAME_START, NUMBER_START, PUNCTUATION } from "./characters.ts";
import { literalEnd, numberEnd, stringEnd } from "./literals.ts";

/** Kinds of token. Punctuation stands for itself by its character code; the others are above 0xffff. */
export const Token = {
  end: 0x10000,
  invalid: 0x10001,
  name: 0x10002,
  hyphenatedName: 0x10003,
  keyword: 0x10004,
  boolean: 0x10005,
  integer: 0x10006,
  negativeInteger: 0x10007,
  float: 0x10008,
  negativeFloat: 0x10009,
  string: 0x1000a,
  hex: 0x1000b,
  binary: 0x1000c,
  timestamp: 0x1000d,
  /** `=` or `==`, `!=` or `<>` */
  equality: 0x1000e,
  /** `<` `<=` `>` `>=` */
  order: 0x1000f,
} as const;

const KEYWORDS = new Set(
  "AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP SECONDS WITHIN REPEATS TIMES".split(
    " ",
  ),
);

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x27;
const STAR = 0x2a;
const DASH = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const LESS = 0x3c;
const EQUAL = 0x3d;
const GREATER = 0x3e;
const BANG = 0x21;

export class Lexer {
  readonly text: string;
  /** Kind of the current token. */
  kind: number = Token.invalid;
  /** Where the current token begins. */
  start = 0;
  /** Where the current token ends; the next one begins here or after it. */
  end = 0;

  constructor(text: string) {
    this.text = text;
    this.next();
  }

  /** Source text of the current token. */
  source(): string {
    return this.text.slice(this.start, this.end);
  }

  isKeyword(word: string): boolean {
    return (
      this.kind === Token.keyword && this.end - this.start === word.length && this.text.startsWith(word, this.start)
    );
  }

  /** Goes on to the next token. */
  next(): void {
    this.skipBlanks();
    this.start = this.end;
    if (this.start >= this.text.length) {
      this.kind = Token.end;
      return;
    }
    const code = this.text.charCodeAt(this.start);
    const kinds = classOf(code);
    if (kinds & NAME_START) this.word(code);
    else if (code === QUOTE) this.take(Token.string, stringEnd(this.text, this.start));
    else if (kinds & NUMBER_START) this.numberOrMark(code);
    else if (kinds & PUNCTUATION) this.take(code, this.start + 1);
    else this.operator(code);
  }

  /** Takes the token up to `end`; -1 means that there is none, and one character is invalid. */
  private take(kind: number, end: number): void {
    this.kind = end < 0 ? Token.invalid : kind;
    this.end = end < 0 ? this.start + 1 : end;
  }

  /** White space and comments. */
  private skipBlanks(): void {
    while (this.end < this.text.length) {
      const code = this.text.charCodeAt(this.end);
      if (isSpace(code)) this.end++;
      else if (code !== SLASH || !this.skipComment()) return;
    }
  }

  private skipComment(): boolean {
    const code = this.text.charCodeAt(this.end + 1);
    if (code === STAR) {
      const close = this.text.indexOf("*/", this.end + 2);
      if (close < 0) return false;
      this.end = close + 2;
      return true;
    }
    if (code !== SLASH) return false;
    let at = this.end + 2;
    while (at < this.text.length && this.text.charCodeAt(at) !== LF && this.text.charCodeAt(at) !== CR) at++;
    this.end = at;
    return true;
  }

  private word(first: number): void {
    if (this.text.charCodeAt(this.start + 1) === QUOTE && this.prefixedLiteral(first)) return;
    let at = this.start + 1;
    let hyphenated = false;
    for (; at < this.text.length; at++) {
      const code = this.text.charCodeAt(at);
      if (code === DASH) hyphenated = true;
      else if (!(classOf(code) & NAME_PART)) break;
    }
    this.end = at;
    this.kind = hyphenated ? Token.hyphenatedName : this.plainWord(first);
  }

  private plainWord(first: number): number {
    // lower-case words are names, but for the two booleans; keywords are in capitals
    if (first >= 0x61) {
      const isBoolean = first === 0x74 || first === 0x66;
      if (!isBoolean) return Token.name;
      const word = this.source();
      return word === "true" || word === "false" ? Token.boolean : Token.name;
    }
    return KEYWORDS.has(this.source()) ? Token.keyword : Token.name;
  }

  /** `t'...'`, `h'...'`, `b'...'`; a malformed one falls apart into a name and a string. */
  private prefixedLiteral(prefix: number): boolean {
    const end = literalEnd(this.text, this.start);
    if (end < 0) return false;
    this.end = end;
    this.kind = prefix === 0x74 ? Token.timestamp : prefix === 0x68 ? Token.hex : Token.binary;
    return true;
  }

  private numberOrMark(first: number): void {
    const { end, isFloat } = numberEnd(this.text, this.start);
    if (end < 0) this.take(first === DOT ? DOT : Token.invalid, this.start + 1);
    else if (first === DASH) this.take(isFloat ? Token.negativeFloat : Token.negativeInteger, end);
    else this.take(isFloat ? Token.float : Token.integer, end);
  }

  private operator(code: number): void {
    const following = this.text.charCodeAt(this.start + 1);
    if (code === EQUAL) this.take(Token.equality, this.start + (following === EQUAL ? 2 : 1));
    else if (code === BANG && following === EQUAL) this.take(Token.equality, this.start + 2);
    else if (code === LESS && following === GREATER) this.take(Token.equality, this.start + 2);
    else if (code === LESS || code === GREATER) this.take(Token.order, this.start + (following === EQUAL ? 2 : 1));
    else this.take(Token.invalid, -1);
  }
}
