import { ClientError } from "./errors.ts";

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
export const SECONDS_PER_DAY = SECONDS_PER_UNIT.d;
/** The bus takes at most this many days (the range of its snapshot requests, stix.md section 5). */
const MAX_DAYS = 999_999_999;

/** Seconds, or a whole number with a unit: "90s", "15m", "12h", "30d", "2w". */
export type Duration = number | string;

/** Seconds of a duration. @throws ClientError INVALID_OPTIONS */
export function secondsOf(duration: Duration, option: string): number {
  const seconds = typeof duration === "number" ? duration : parseDuration(duration);
  if (seconds !== undefined && seconds >= 0 && seconds <= MAX_DAYS * SECONDS_PER_DAY) return seconds;
  const wanted = 'seconds from 0, or text such as "90s", "15m", "12h", "30d", "2w"';
  throw new ClientError("INVALID_OPTIONS", `${option}: ${JSON.stringify(duration)} is no duration; expected ${wanted}`);
}

function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})([smhdw])$/.exec(text.trim());
  const unit = match?.[2];
  if (match?.[1] === undefined || unit === undefined || !(unit in SECONDS_PER_UNIT)) return undefined;
  return Number(match[1]) * SECONDS_PER_UNIT[unit as keyof typeof SECONDS_PER_UNIT];
}

/** Whole days that cover the seconds: requests to the bus count days, and less than asked for would be a silent loss. */
export function daysCovering(seconds: number): number {
  return Math.ceil(seconds / SECONDS_PER_DAY);
}
