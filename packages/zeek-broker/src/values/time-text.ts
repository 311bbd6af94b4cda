import { DecodeError } from "../errors.ts";

const MILLISECOND = 1_000_000n;
const SECOND = 1_000_000_000n;
const FRACTION_DIGITS = 9;

const TIMESTAMP = /^(-?\d{1,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?$/;
const TIMESPAN = /^(-?)(\d{1,20})(?:\.(\d{1,9}))?(ns|us|ms|s|min|h|d)$/;

/** Nanoseconds of each unit, the largest first. */
const UNITS: readonly (readonly [name: string, nanoseconds: bigint])[] = [
  ["d", 86_400n * SECOND],
  ["h", 3_600n * SECOND],
  ["min", 60n * SECOND],
  ["s", SECOND],
  ["ms", MILLISECOND],
  ["us", 1_000n],
  ["ns", 1n],
];

/** "2023-11-14T22:13:20.123" of nanoseconds since 1970, in UTC; 3, 6 or 9 digits of the second, as many as needed. */
export function formatTimestamp(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % SECOND) + SECOND) % SECOND;
  const seconds = new Date(Number((nanoseconds - fraction) / MILLISECOND)).toISOString().slice(0, -".000Z".length);
  const digits = String(fraction)
    .padStart(FRACTION_DIGITS, "0")
    .replace(/(000){1,2}$/, "");
  return `${seconds}.${digits}`;
}

/** The reverse of formatTimestamp(), of any digits; no zone means UTC. Throws DecodeError. */
export function parseTimestamp(text: string): bigint {
  const [, seconds = "", fraction = ""] = TIMESTAMP.exec(text) ?? [];
  const milliseconds = Date.parse(`${seconds}Z`);
  if (Number.isNaN(milliseconds)) throw new DecodeError("bad-value", `not a timestamp: ${JSON.stringify(text)}`);
  return BigInt(milliseconds) * MILLISECOND + BigInt(fraction.padEnd(FRACTION_DIGITS, "0"));
}

/** "-90s": a whole number of the largest unit that fits. */
export function formatTimespan(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return "0s";
  const [name, size] = UNITS.find(([, each]) => nanoseconds % each === 0n) ?? ["ns", 1n];
  return `${nanoseconds / size}${name}`;
}

/** Throws DecodeError. */
export function parseTimespan(text: string): bigint {
  const [, sign, whole, fraction = "", unit] = TIMESPAN.exec(text) ?? [];
  const [, size] = UNITS.find(([name]) => name === unit) ?? [];
  if (whole === undefined || size === undefined) {
    throw new DecodeError("bad-value", `not a timespan: ${JSON.stringify(text)}`);
  }
  const part = (BigInt(fraction.padEnd(FRACTION_DIGITS, "0")) * size) / SECOND;
  const magnitude = BigInt(whole) * size + part;
  return sign === "-" ? -magnitude : magnitude;
}
