/** STIX identifiers, `<type>--<uuid>` (stix.md 1.3). */

const UUID_LENGTH = 36;
/** Where the variant bits of a UUID stand among its 32 digits (RFC 4122 section 4.1.1). */
const VARIANT_DIGIT = 16;
const HEX_32 = /^[0-9a-fA-F]{32}$/;
const DASH = 0x2d;

/** Is the character a hexadecimal digit? */
function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66) || (code >= 0x41 && code <= 0x46);
}

/** Is the digit one of 8, 9, a, b? */
function isVariant(code: number): boolean {
  return code === 0x38 || code === 0x39 || code === 0x61 || code === 0x62 || code === 0x41 || code === 0x42;
}

/** The usual form, eight-four-four-four-twelve digits, from `start` to the end of the text. */
function isPlainUuid(text: string, start: number): boolean {
  if (text.length !== start + UUID_LENGTH) return false;
  for (let index = 0; index < UUID_LENGTH; index++) {
    const code = text.charCodeAt(start + index);
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (code !== DASH) return false;
    } else if (!isHex(code)) return false;
  }
  return isVariant(text.charCodeAt(start + 19));
}

/** Any form that Python's uuid.UUID reads, apart from `_` and `+`: other hyphens, braces, `urn:uuid:`. */
function isLooseUuid(text: string): boolean {
  const digits = text
    .replaceAll("urn:", "")
    .replaceAll("uuid:", "")
    .replace(/^[{}]+/, "")
    .replace(/[{}]+$/, "")
    .replaceAll("-", "");
  return HEX_32.test(digits) && isVariant(digits.charCodeAt(VARIANT_DIGIT));
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
