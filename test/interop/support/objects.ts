/** STIX objects for the tests. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

/** JSON text of an indicator for an address, with any further properties. */
export function indicator(value: string, properties: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    type: "indicator",
    spec_version: "2.1",
    id: `indicator--${randomUUID()}`,
    created: "2026-01-02T03:04:05.123Z",
    modified: "2026-01-02T03:04:05.123Z",
    pattern: `[ipv4-addr:value = '${value}']`,
    pattern_type: "stix",
    pattern_version: "2.1",
    valid_from: "2026-01-02T03:04:05Z",
    ...properties,
  });
}

/** JSON text of an indicator whose pattern is a Suricata rule with the given signature id. */
export function suricataRule(sid: number): string {
  const pattern = `alert http any any -> any any (msg:"interop ${sid}"; sid:${sid}; rev:1;)`;
  return indicator("", { pattern, pattern_type: "suricata" });
}

/** JSON text of a sighting of the indicator with the given id. */
export function sighting(of: string): string {
  return JSON.stringify({
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--${randomUUID()}`,
    created: "2026-01-02T03:04:06.123Z",
    modified: "2026-01-02T03:04:06.123Z",
    last_seen: "2026-01-02T03:04:06Z",
    sighting_of_ref: of,
  });
}

/** Fails at the first place where two lists of texts differ, and shows that place only. */
export function assertSameTexts(actual: readonly string[], expected: readonly string[]): void {
  for (const [i, text] of expected.entries())
    assert.equal(actual[i], text, `number ${i} of ${expected.length} differs`);
  assert.equal(actual.length, expected.length, "there are more than expected");
}
