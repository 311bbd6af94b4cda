/** Text from outside, made fit for messages that people read and logs that programs read. */

const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;

/** The text on one line, without control characters, cut to `maxLength` UTF-16 code units. */
export function printable(text: string, maxLength: number): string {
  const line = text.slice(0, maxLength + 1).replace(UNPRINTABLE, " ");
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}
