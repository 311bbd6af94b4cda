/** Times as a person gives them. */
import { parseDuration } from "@threatbus/core";
import { CommandError, EXIT } from "@threatbus/core/process";

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/i;

/**
 * A time, in milliseconds since the epoch: a date, a date with a time (UTC unless it says otherwise), or how long ago.
 * @throws CommandError (exit code 2) naming the option
 */
export function timeOf(option: string, text: string, now: number): number {
  const ago = parseDuration(text);
  if (ago !== undefined) return now - ago;
  const [, date, time = "00:00", zone = "Z"] = TIME.exec(text.trim()) ?? [];
  const value = date === undefined ? Number.NaN : Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  if (!Number.isNaN(value)) return value;
  const expected = "expected a time such as 2026-03-04 or 2026-03-04T05:06Z, or a duration ago such as 12h or 30d";
  throw new CommandError(`${option} ${JSON.stringify(text)}: ${expected}`, EXIT.usage);
}
