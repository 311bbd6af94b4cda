import { isIP } from "node:net";
import { z } from "zod";
import { canonical6, type IocKind } from "../iocs/ioc.ts";

/** A record of eve.json that is an alert, as far as it is looked at. */
const alertSchema = z.looseObject({
  timestamp: z.string(),
  event_type: z.literal("alert"),
  src_ip: z.string().optional(),
  dest_ip: z.string().optional(),
  alert: z.looseObject({ signature_id: z.int(), gid: z.int().default(1) }),
});
export type AlertEvent = z.output<typeof alertSchema>;

const named = z.looseObject({ rrname: z.string().optional() });
const hashes = z.looseObject({
  md5: z.string().optional(),
  sha1: z.string().optional(),
  sha256: z.string().optional(),
});
const seenSchema = z.looseObject({
  dns: z
    .looseObject({
      rrname: z.string().optional(),
      // Suricata 7 and before, Suricata 8.
      query: z.array(named).optional().catch(undefined),
      queries: z.array(named).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  tls: z.looseObject({ sni: z.string().optional() }).optional().catch(undefined),
  http: z.looseObject({ hostname: z.string().optional() }).optional().catch(undefined),
  files: z.array(hashes).optional().catch(undefined),
  fileinfo: hashes.optional().catch(undefined),
});

/** The alert that a line is; "other": some other event; undefined: no event at all. */
export function readAlert(line: string): AlertEvent | "other" | undefined {
  // Nine of ten lines are something else, and need not be read for it.
  if (!line.includes('"alert"') && line.startsWith("{") && line.endsWith("}")) return "other";
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof event !== "object" || event === null || !("event_type" in event)) return undefined;
  if (event.event_type !== "alert") return "other";
  return alertSchema.safeParse(event).data;
}

/** What of that kind an event has in it, in the form in which IoCs are compared. */
export function valuesIn(event: AlertEvent, kind: IocKind): string[] {
  const { dns, tls, http, files = [], fileinfo } = seenSchema.parse(event);
  switch (kind) {
    case "ip":
      return present([event.dest_ip, event.src_ip]).map((text) =>
        isIP(text) === 6 && !text.includes("%") ? canonical6(text) : text,
      );
    case "domain": {
      const asked = [dns?.rrname, ...[...(dns?.query ?? []), ...(dns?.queries ?? [])].map(({ rrname }) => rrname)];
      return present([...asked, tls?.sni, http?.hostname]).map((name) => name.toLowerCase().replace(/\.$/, ""));
    }
    case "md5":
    case "sha1":
    case "sha256":
      return present([...files, fileinfo].map((file) => file?.[kind])).map((hash) => hash.toLowerCase());
    default:
      return [];
  }
}

function present(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

const EVE_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|([+-])(\d\d):?(\d\d))$/;

/** Microseconds since 1970-01-01T00:00:00Z of `2024-06-10T06:13:20.123456+0200`; undefined where it is none. */
export function eveMicros(text: string): bigint | undefined {
  const match = EVE_TIME.exec(text);
  const seconds = Date.parse(`${match?.[1]}Z`) / 1_000;
  if (match === null || Number.isNaN(seconds)) return undefined;
  const [, , fraction = "", sign = "+", hours = "0", minutes = "0"] = match;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60 * (sign === "-" ? -1 : 1);
  return BigInt(seconds - offset) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
}
