/**
 * Text from outside made safe for a terminal and for a log of one line per record: control characters (line breaks and
 * escape sequences among them) become `\n` or `\u001b`.
 */
export function printable(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeCharacter) : text;
}

/** C0 and C1 control characters, line separators, and the marks that reorder text (Unicode bidi controls). */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const UNSAFE_ALL = new RegExp(UNSAFE, "gu");
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeCharacter(character: string): string {
  return SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The first `limit` bytes of a sample, printable; bytes that are not UTF-8 show as U+FFFD. */
export function printableSample(sample: Buffer | string, limit: number): string {
  const bytes = typeof sample === "string" ? Buffer.from(sample.slice(0, limit)) : sample;
  const head = bytes.subarray(0, limit).toString("utf8");
  const cut = bytes.length > limit || (typeof sample === "string" && sample.length > limit);
  return printable(head) + (cut ? "..." : "");
}
