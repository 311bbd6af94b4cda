/**
 * STIX timestamps (stix.md 1.4) with microseconds, which a JavaScript Date cannot hold.
 * Accepted: `YYYY-MM-DDTHH:MM:SS[.f]Z`, four-digit year, the other fields of one or two digits, T and Z of either case,
 * any number of fraction digits, of which six count.
 */

const GENERAL_FORM = /^(\d{4})-(\d{1,2})-(\d{1,2})[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?[Zz]$/;
const MICROS_PER_SECOND = 1_000_000n;
const SECONDS_PER_DAY = 86_400;
/** Length of `YYYY-MM-DDTHH:MM:SS`. */
const WHOLE_SECONDS = 19;
const MAX_FRACTION_DIGITS = 6;

const ZERO = 0x30;
const DASH = 0x2d;
const COLON = 0x3a;
const DOT = 0x2e;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;

/** Days of a month (1 to 12) in the Gregorian calendar. */
function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function isRealTime(y: number, mo: number, d: number, h: number, mi: number, s: number): boolean {
  return (
    y >= 1 && mo >= 1 && mo <= 12 && d >= 1 && h <= 23 && mi <= 59 && s <= 59 && (d <= 28 || d <= daysInMonth(y, mo))
  );
}

/** The number that two digits at `at` stand for; a large number where they are no digits. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO;
  const ones = text.charCodeAt(at + 1) - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 10_000;
}

/**
 * How many fraction digits a timestamp in the form that every STIX reader takes has: capitals, two-digit fields, at
 * most six digits. -1: not of this form (it may still be a timestamp for `parseTimestamp`).
 */
export function strictFractionDigits(text: string): number {
  const last = text.length - 1;
  if (last < WHOLE_SECONDS || last > WHOLE_SECONDS + 1 + MAX_FRACTION_DIGITS) return -1;
  if (
    text.charCodeAt(4) !== DASH ||
    text.charCodeAt(7) !== DASH ||
    text.charCodeAt(10) !== UPPER_T ||
    text.charCodeAt(13) !== COLON ||
    text.charCodeAt(16) !== COLON ||
    text.charCodeAt(last) !== UPPER_Z
  ) {
    return -1;
  }
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  if (year > 9999) return -1;
  const real = isRealTime(
    year,
    twoDigits(text, 5),
    twoDigits(text, 8),
    twoDigits(text, 11),
    twoDigits(text, 14),
    twoDigits(text, 17),
  );
  if (!real) return -1;
  if (last === WHOLE_SECONDS) return 0;
  if (text.charCodeAt(WHOLE_SECONDS) !== DOT || last === WHOLE_SECONDS + 1) return -1;
  for (let at = WHOLE_SECONDS + 1; at < last; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return -1;
  }
  return last - WHOLE_SECONDS - 1;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() / (SECONDS_PER_DAY * 1000);
}

/** Microseconds since 1970-01-01T00:00:00Z; undefined where the text is no timestamp. Digits after the sixth are cut. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = GENERAL_FORM.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  if (!isRealTime(year, month, day, hour, minute, second)) return undefined;
  const seconds = daysSinceEpoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
  const fraction = (match[7] ?? "").slice(0, MAX_FRACTION_DIGITS).padEnd(MAX_FRACTION_DIGITS, "0");
  return BigInt(seconds) * MICROS_PER_SECOND + BigInt(fraction);
}

/** Is the timestamp in the normalised form already? */
function isNormalised(text: string, precision: "millisecond" | "any"): boolean {
  const digits = strictFractionDigits(text);
  const fewest = precision === "millisecond" ? 3 : 0;
  return digits === fewest || (digits > fewest && text.charCodeAt(text.length - 2) !== ZERO);
}

/** A timestamp in the normalised form; undefined where the text is none. See `formatTimestamp`. */
export function normaliseTimestamp(text: string, precision: "millisecond" | "any"): string | undefined {
  if (isNormalised(text, precision)) return text;
  const micros = parseTimestamp(text);
  return micros === undefined ? undefined : formatTimestamp(micros, precision);
}

/**
 * The text of a time, in the normalised form (stix.md section 2).
 * @param micros microseconds since 1970-01-01T00:00:00Z, within the years 0001 to 9999
 * @param precision "millisecond" (created, modified): at least three fraction digits; "any": only those needed
 */
export function formatTimestamp(micros: bigint, precision: "millisecond" | "any"): string {
  const fraction = ((micros % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND;
  const wholeSeconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, WHOLE_SECONDS);
  const digits = fraction.toString().padStart(MAX_FRACTION_DIGITS, "0").replace(/0+$/, "");
  const shown = precision === "millisecond" ? digits.padEnd(3, "0") : digits;
  return shown === "" ? `${wholeSeconds}Z` : `${wholeSeconds}.${shown}Z`;
}

/** Lengths of `2021-03-04T05:06:07Z`, with milliseconds and with microseconds: the forms that nearly all have. */
const SECOND_FORM = 20;
const MILLISECOND_FORM = 24;
const MICROSECOND_FORM = 27;

/**
 * Microseconds since 1970-01-01T00:00:00Z of a valid timestamp, as a number: before the year 1685 and after 2255 all the
 * same, the safe integer that is nearest. For comparing; a good deal faster than `parseTimestamp`.
 */
export function timestampMicros(text: string): number {
  const micros = usualMicros(text) ?? Number(parseTimestamp(text) ?? 0n);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(micros, Number.MAX_SAFE_INTEGER));
}

/** undefined for other forms than the usual ones. */
function usualMicros(text: string): number | undefined {
  const { length } = text;
  if (length !== MILLISECOND_FORM && length !== MICROSECOND_FORM && length !== SECOND_FORM) return undefined;
  if (!hasUsualMarks(text)) return undefined;
  const millis = Date.parse(text);
  if (Number.isNaN(millis)) return undefined;
  // Date.parse cuts after the milliseconds.
  const rest = length === MICROSECOND_FORM ? Number(text.slice(MILLISECOND_FORM - 1, -1)) : 0;
  return Number.isNaN(rest) ? undefined : millis * 1000 + rest;
}

/** Fields of one digit, which are valid too, move the marks; a text of the same length then has another fraction. */
function hasUsualMarks(text: string): boolean {
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || text.charCodeAt(10) !== UPPER_T) return false;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return false;
  return text.length === SECOND_FORM || text.charCodeAt(WHOLE_SECONDS) === DOT;
}
