import { CommandError, EXIT } from "@threatbus/core/process";

const MS_PER_UNIT = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/**
 * What `--from` means: a position, "earliest", "latest", a time (RFC 3339), or a time ago such as 2h.
 * @param now milliseconds since the epoch
 * @throws CommandError (2) when it is none of them
 */
export function parseStart(text: string, now: number): number | string | Date {
  if (text === "earliest" || text === "latest" || TIME.test(text)) return text;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const [, count, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const ago = new Date(count === undefined ? Number.NaN : now - Number(count) * unitOf(unit));
  if (!Number.isNaN(ago.getTime()) && ago.getTime() >= 0) return ago;
  const wanted =
    "a position (4711), earliest, latest, a time (2026-11-23T10:00:00Z) or a time ago (90s, 15m, 2h, 7d, 1w)";
  throw new CommandError(`--from ${JSON.stringify(text)}: expected ${wanted}`, EXIT.usage);
}

function unitOf(unit: string | undefined): number {
  return unit !== undefined && unit in MS_PER_UNIT ? MS_PER_UNIT[unit as keyof typeof MS_PER_UNIT] : Number.NaN;
}
