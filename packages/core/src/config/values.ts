import { z } from "zod";

/** Milliseconds per unit of a duration. */
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Bytes per unit of a size: KB counts by 1000, KiB by 1024. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const QUANTITY = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{1,3})$/i;

/** Longest duration accepted: 1,000 years. It keeps sums of times inside the range of Date. */
const MAX_DURATION_MS = 365_250 * 86_400_000;

/** @returns the milliseconds of `50ms`, `30s`, `5m`, `1.5h`, `90d`, `2w`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const milliseconds = parseQuantity(text, DURATION_UNITS);
  return milliseconds === undefined || milliseconds > MAX_DURATION_MS ? undefined : milliseconds;
}

/** @returns the bytes of `512KiB`, `10GiB`, `1.5GB`, `100B`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = QUANTITY.exec(text.trim());
  if (match === null) return undefined;
  const factor = units[(match[2] ?? "").toLowerCase()];
  if (factor === undefined) return undefined;
  const value = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

/**
 * A setting written as a duration with its unit. Its value is in milliseconds.
 * @param initial the default, in the same notation.
 */
export function duration(initial: string): z.ZodType<number, string | undefined> {
  return quantity(parseDuration, "a duration such as 50ms, 30s, 5m, 12h or 90d", "duration", initial);
}

/**
 * A setting written as a size with its unit. Its value is in bytes.
 * @param initial the default, in the same notation.
 */
export function size(initial: string): z.ZodType<number, string | undefined> {
  return quantity(parseSize, "a size such as 512KiB, 100MB or 10GiB", "size", initial);
}

function quantity(
  parse: (text: string) => number | undefined,
  expected: string,
  typeName: string,
  initial: string,
): z.ZodType<number, string | undefined> {
  return z
    .string(`expected ${expected}`)
    .meta({ title: typeName })
    .default(initial)
    .transform((text, context) => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message: `expected ${expected}` });
      return z.NEVER;
    });
}

/** A TCP port; 0 asks the system for any free one. */
export function port(initial: number): z.ZodDefault<z.ZodInt> {
  return z.int().min(0).max(65_535).meta({ title: "port" }).default(initial);
}
