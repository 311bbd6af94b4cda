/** Where the literals of the pattern language end (stix.md 3.1). All give -1 where there is no such literal. */

import { BASE64, classOf, DIGIT, HEX_DIGIT } from "./characters.ts";

const QUOTE = 0x27;
const DOT = 0x2e;
const PLUS = 0x2b;
const DASH = 0x2d;
const BACKSLASH = 0x5c;
const EQUAL = 0x3d;
const ZERO = 0x30;
const MAX_PADDING = 2;
/** Up to the whole second; the fraction is looked at apart, it may be of any length. */
const TIMESTAMP = /t'\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)/y;

function skipWhile(text: string, from: number, kind: number): number {
  let at = from;
  while (at < text.length && classOf(text.charCodeAt(at)) & kind) at++;
  return at;
}

/** A string that begins at `start` with its quote. */
export function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) {
      at++;
      const escaped = text.charCodeAt(at);
      if (escaped !== QUOTE && escaped !== BACKSLASH) return -1;
    }
  }
  return -1;
}

/** An integer or a float that begins at `start`, sign included. */
export function numberEnd(text: string, start: number): { readonly end: number; readonly isFloat: boolean } {
  const first = text.charCodeAt(start);
  const digits = first === PLUS || first === DASH ? start + 1 : start;
  const afterDigits = skipWhile(text, digits, DIGIT);
  if (text.charCodeAt(afterDigits) === DOT) {
    const afterFraction = skipWhile(text, afterDigits + 1, DIGIT);
    if (afterFraction > afterDigits + 1) return { end: afterFraction, isFloat: true };
  }
  if (afterDigits === digits) return { end: -1, isFloat: false };
  // no leading zeros: 007 is three integers
  return { end: text.charCodeAt(digits) === ZERO ? digits + 1 : afterDigits, isFloat: false };
}

function hexEnd(text: string, start: number): number {
  const at = skipWhile(text, start + 2, HEX_DIGIT);
  return text.charCodeAt(at) === QUOTE && (at - start) % 2 === 0 ? at + 1 : -1;
}

function binaryEnd(text: string, start: number): number {
  const afterData = skipWhile(text, start + 2, BASE64);
  let at = afterData;
  while (text.charCodeAt(at) === EQUAL) at++;
  const length = at - start - 2;
  const complete = length > 0 && length % 4 === 0 && at - afterData <= MAX_PADDING;
  return complete && text.charCodeAt(at) === QUOTE ? at + 1 : -1;
}

function timestampEnd(text: string, start: number): number {
  TIMESTAMP.lastIndex = start;
  if (!TIMESTAMP.test(text)) return -1;
  let at = TIMESTAMP.lastIndex;
  if (text.charCodeAt(at) === DOT) {
    const afterFraction = skipWhile(text, at + 1, DIGIT);
    if (afterFraction === at + 1) return -1;
    at = afterFraction;
  }
  return text.startsWith("Z'", at) ? at + 2 : -1;
}

/** A timestamp, hexadecimal or binary literal that begins at `start` with its letter. */
export function literalEnd(text: string, start: number): number {
  switch (text[start]) {
    case "t":
      return timestampEnd(text, start);
    case "h":
      return hexEnd(text, start);
    case "b":
      return binaryEnd(text, start);
    default:
      return -1;
  }
}
