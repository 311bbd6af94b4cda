/** The messages of the load: the same indicator of about 440 bytes as the generator in C sends. */

const time = "2026-01-02T03:04:05.123456Z";

/** The frame for message number `i`, sent at `now` (nanoseconds of the monotonic clock). */
export function frame(i: number, now: bigint): string {
  const address = [24, 16, 8, 0].map((shift) => (i >>> shift) & 255).join(".");
  return (
    `stix2/indicator {"type": "indicator", "spec_version": "2.1", ` +
    `"id": "indicator--${i.toString(16).padStart(8, "0")}-c3b6-4f53-b0cf-5e9c454ee0cc", ` +
    `"created": "${time}", "modified": "${time}", "name": "bench ${i}", ` +
    `"indicator_types": ["malicious-activity"], "pattern": "[ipv4-addr:value = '${address}']", ` +
    `"pattern_type": "stix", "pattern_version": "2.1", "valid_from": "${time}", "x_bench_ns": ${now}}`
  );
}

const marker = Buffer.from('"x_bench_ns": ');

/** When a received frame was sent, in nanoseconds of the monotonic clock; undefined when it does not say. */
export function sentAt(received: Buffer): bigint | undefined {
  const at = received.indexOf(marker);
  if (at < 0) return undefined;
  const digits = /^\d+/.exec(received.toString("latin1", at + marker.length, at + marker.length + 24));
  return digits === null ? undefined : BigInt(digits[0]);
}

const id = Buffer.from('"id": "indicator--');

/** The number of a received message; NaN when it is none of the load. */
export function indexOf(received: Buffer): number {
  const at = received.indexOf(id);
  return at < 0 ? Number.NaN : Number.parseInt(received.toString("latin1", at + id.length, at + id.length + 8), 16);
}
