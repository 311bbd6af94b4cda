/** STIX identifiers, `<type>--<uuid>` (stix.md 1.3). */

const UUID_LENGTH = 36;
/** Where the variant bits of a UUID stand among its 32 digits (RFC 4122 section 4.1.1). */
const VARIANT_DIGIT = 16;
const HEX_32 = /^[0-9a-fA-F]{32}$/;
const DASH = 0x2d;

/** Where the hyphens of a UUID stand. */
const HYPHENS = [8, 13, 18, 23] as const;
const VARIANT_CHARACTER = 19;

const UUID_DIGITS = 32;

/** 1 for hexadecimal digits, 0 for the hyphen, more than there are digits in a UUID for every other character. */
const COUNTS = new Uint8Array(256).fill(UUID_DIGITS + 1);
COUNTS[DASH] = 0;
for (const digit of "0123456789abcdefABCDEF") COUNTS[digit.charCodeAt(0)] = 1;

/** Does the digit have the variant bits of RFC 4122? */
function isVariant(code: number): boolean {
  return code === 0x38 || code === 0x39 || code === 0x61 || code === 0x62 || code === 0x41 || code === 0x42;
}

/** The usual form, eight-four-four-four-twelve digits, from `start` to the end of the text. */
function isPlainUuid(text: string, start: number): boolean {
  if (
    text.length !== start + UUID_LENGTH ||
    text.charCodeAt(start + HYPHENS[0]) !== DASH ||
    text.charCodeAt(start + HYPHENS[1]) !== DASH ||
    text.charCodeAt(start + HYPHENS[2]) !== DASH ||
    text.charCodeAt(start + HYPHENS[3]) !== DASH ||
    !isVariant(text.charCodeAt(start + VARIANT_CHARACTER))
  ) {
    return false;
  }
  // the hyphens are in their places: with as many digits as a UUID has there can be no other character
  let digits = 0;
  for (let at = start; at < start + UUID_LENGTH; at++) {
    const code = text.charCodeAt(at);
    digits += code > 0xff ? UUID_LENGTH : (COUNTS[code] ?? 0);
  }
  return digits === UUID_DIGITS;
}

function isBrace(code: number): boolean {
  return code === 0x7b || code === 0x7d;
}

/** The text without the braces around it; each character is looked at once, which /[{}]+$/ does not do. */
function withoutBraces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBrace(text.charCodeAt(start))) start++;
  while (end > start && isBrace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** The digits of a UUID in any form that Python's uuid.UUID reads: without hyphens, braces and `urn:uuid:`. */
function digitsOf(text: string): string {
  return withoutBraces(text.replaceAll("urn:", "").replaceAll("uuid:", "")).replaceAll("-", "");
}

/** Any form that Python's uuid.UUID reads, apart from `_` and `+`. */
function isLooseUuid(text: string): boolean {
  const digits = digitsOf(text);
  return HEX_32.test(digits) && isVariant(digits.charCodeAt(VARIANT_DIGIT));
}

/**
 * An identifier in the usual form, small letters and hyphens in their places, however it was written.
 * @param text an identifier that was checked
 */
export function usualForm(text: string): string {
  const split = text.indexOf("--") + 2;
  const lower = text.slice(split).toLowerCase();
  const groups = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(isPlainUuid(lower, 0) ? "" : digitsOf(lower));
  return text.slice(0, split) + (groups === null ? lower : groups.slice(1).join("-"));
}

/** Does the text from `start` on read as a UUID of the RFC 4122 variant? Any version passes. */
export function isUuidAt(text: string, start: number): boolean {
  return isPlainUuid(text, start) || isLooseUuid(text.slice(start));
}

/**
 * The type name of a reference: what stands before the first `--`, unchecked.
 * @returns undefined where the text is no identifier
 */
export function typeOfReference(text: string): string | undefined {
  const split = text.indexOf("--");
  return split >= 0 && isUuidAt(text, split + 2) ? text.slice(0, split) : undefined;
}
