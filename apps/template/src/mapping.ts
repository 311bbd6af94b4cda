import { makeSighting } from "@threatbus/connector";
import { type Indicator, parseTimestamp, pointIoc, type Sighting } from "@threatbus/stix";

/** What your tool can look for, by object path of STIX. */
export const OBJECT_PATHS = ["ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value"] as const;

const PATHS: ReadonlySet<string> = new Set(OBJECT_PATHS);
const TIME = /^\S{1,64}/;

/** The value that an indicator looks for; undefined where the tool cannot look for it. */
export function iocOf({ pattern, pattern_type: type }: Indicator): string | undefined {
  if (type !== "stix") return undefined;
  const ioc = pointIoc(pattern);
  return ioc !== null && PATHS.has(ioc.objectPath) ? ioc.value : undefined;
}

/** One event of the tool as a sighting; undefined where it does not begin with a time. */
export function sightingOf(indicator: Indicator, event: string): (Sighting & Record<string, unknown>) | undefined {
  const time = TIME.exec(event)?.[0] ?? "";
  if (parseTimestamp(time) === undefined) return undefined;
  return makeSighting({
    ref: indicator.id,
    lastSeen: time,
    // The same event has the same id, however often it is found.
    key: ["newtool", indicator.id, event],
    custom: { x_threatbus_sighting_context: { event }, x_threatbus_indicator: indicator },
  });
}
