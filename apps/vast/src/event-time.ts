import { formatTimestamp, parseTimestamp } from "@threatbus/stix";

const CLOCK = String.raw`(?<h>\d{2}):(?<mi>\d{2})(?::(?<s>\d{2})(?:[.,](?<f>\d+))?)?`;
const ZONE = String.raw`\s*(?:(?<sign>[+-])(?<zh>\d{2}):?(?<zm>\d{2})?|[A-Za-z]{1,5})?`;
/** `2020-09-24T08:43:43.654072+02:00`, `2020-09-24 08:43`, `2020-09-24`, `20200924T084343`, `Thu, 24 Sep 2020 08:43:43 +0000` */
const FORMS = [
  new RegExp(String.raw`^(?<y>\d{4})-(?<mo>\d{2})-(?<d>\d{2})(?:[T ]${CLOCK}${ZONE})?$`),
  /^(?<y>\d{4})(?<mo>\d{2})(?<d>\d{2})T(?<h>\d{2})(?<mi>\d{2})(?<s>\d{2})Z?$/,
  new RegExp(String.raw`^(?:[A-Za-z]{3},\s*)?(?<d>\d{1,2}) (?<month>[A-Za-z]{3}) (?<y>\d{4}) ${CLOCK}${ZONE}$`),
];
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MICROS_PER_MINUTE = 60_000_000n;
/** Longest text that is read as a time. */
const MAX_LENGTH = 64;
const LARGEST_OFFSET_HOURS = 23;

/**
 * When an event happened: its `ts`, else `timestamp` (Suricata), else `time` (OCSF), the first that is there at all.
 * @returns a STIX timestamp; undefined where it is missing or unreadable
 */
export function eventTime(event: Readonly<Record<string, unknown>>): string | undefined {
  const name = ["ts", "timestamp", "time"].find((key) => Object.hasOwn(event, key));
  const text = name === undefined ? undefined : event[name];
  return typeof text === "string" ? readTime(text.trim()) : undefined;
}

/** A time without a zone, or with the name of one, is UTC. */
function readTime(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const groups = FORMS.map((form) => form.exec(text)?.groups).find((found) => found !== undefined);
  if (groups === undefined) return undefined;
  const { y, mo, month = "", d = "", h = "00", mi = "00", s = "00", f } = groups;
  const monthNumber = mo ?? String(MONTHS.indexOf(month.toLowerCase()) + 1);
  const micros = parseTimestamp(`${y}-${monthNumber}-${d}T${h}:${mi}:${s}${f === undefined ? "" : `.${f}`}Z`);
  const offset = offsetMinutes(groups);
  if (micros === undefined || offset === undefined) return undefined;
  return inRange(micros - offset * MICROS_PER_MINUTE);
}

function offsetMinutes({ sign, zh = "0", zm = "0" }: Readonly<Record<string, string>>): bigint | undefined {
  if (sign === undefined) return 0n;
  if (Number(zh) > LARGEST_OFFSET_HOURS || Number(zm) > 59) return undefined;
  const minutes = BigInt(Number(zh) * 60 + Number(zm));
  return sign === "-" ? -minutes : minutes;
}

/** An offset can lead out of the years that a timestamp can say. */
function inRange(micros: bigint): string | undefined {
  const year = new Date(Number(micros / 1000n)).getUTCFullYear();
  return year >= 1 && year <= 9999 ? formatTimestamp(micros, "any") : undefined;
}
