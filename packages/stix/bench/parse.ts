/**
 * How many typical indicators a second one core parses and validates.
 *     node packages/stix/bench/parse.ts [messages per round] [rounds]
 * Every message of a round is distinct (id, name, pattern, time); about 440 bytes, as a sensor feed sends them.
 */
import { type ParsedStix, parseStix, type Result, type StixError } from "../src/index.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 5);

function message(index: number): Buffer {
  const address = [24, 16, 8, 0].map((shift) => (index >> shift) & 255).join(".");
  const time = "2026-01-02T03:04:05.123456Z";
  return Buffer.from(
    `{"type": "indicator", "spec_version": "2.1", "id": "indicator--${index.toString(16).padStart(8, "0")}-c3b6-4f53-b0cf-5e9c454ee0cc", ` +
      `"created": "${time}", "modified": "${time}", ` +
      `"name": "bench ${index}", "indicator_types": ["malicious-activity"], "pattern": "[ipv4-addr:value = '${address}']", ` +
      `"pattern_type": "stix", "pattern_version": "2.1", "valid_from": "${time}", "x_bench_ns": ${123_456_789_012_345 + index}}`,
  );
}

const messages = Array.from({ length: count }, (_, index) => message(index));
let last: Result<ParsedStix, StixError> | undefined;
for (let round = 1; round <= rounds; round++) {
  const start = process.hrtime.bigint();
  for (const bytes of messages) {
    last = parseStix(bytes);
    if (!last.ok) throw new Error(`refused: ${JSON.stringify(last.error)}`);
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  console.log(`round ${round}: ${Math.round(count / seconds)} objects/s (${messages[0]?.length} bytes each)`);
}
