import { parseTimestamp } from "@threatbus/stix";

/** A STIX timestamp as OpenCTI takes it: UTC with milliseconds, what is finer cut. */
export function openctiTime(timestamp: string): string {
  const micros = parseTimestamp(timestamp);
  // Only for an object that nobody has checked.
  if (micros === undefined) throw new RangeError(`${timestamp.slice(0, 50)} is no timestamp`);
  return new Date(Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n)).toISOString();
}
