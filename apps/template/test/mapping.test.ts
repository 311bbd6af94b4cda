import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStixObject } from "@threatbus/stix";
import { iocOf, sightingOf } from "../src/mapping.ts";
import { INDICATOR } from "./indicator.ts";

test("the value of a pattern for one thing, and none of any other", () => {
  assert.equal(iocOf(INDICATOR), "198.51.100.7");
  assert.equal(iocOf({ ...INDICATOR, pattern: "[domain-name:value = 'evil.example']" }), "evil.example");
  for (const pattern of [
    "[file:name = 'a.exe']",
    "[ipv4-addr:value != '198.51.100.7']",
    "[ipv4-addr:value = '198.51.100.7' AND url:value = 'http://evil.example/']",
    "no pattern",
  ]) {
    assert.equal(iocOf({ ...INDICATOR, pattern }), undefined, pattern);
  }
  assert.equal(iocOf({ ...INDICATOR, pattern_type: "suricata" }), undefined);
});

test("an event is a valid sighting with its time, and has one id", () => {
  const event = "2026-01-02T03:04:05Z 10.0.0.5 GET http://198.51.100.7/";
  const sighting = sightingOf(INDICATOR, event);
  assert.ok(sighting !== undefined && parseStixObject(sighting).ok);
  assert.equal(sighting.sighting_of_ref, INDICATOR.id);
  assert.equal(sighting.last_seen, "2026-01-02T03:04:05Z");
  assert.equal(sightingOf(INDICATOR, event)?.id, sighting.id);
  assert.notEqual(sightingOf(INDICATOR, `${event}index.html`)?.id, sighting.id);
  assert.equal(sightingOf(INDICATOR, "yesterday, 10.0.0.5"), undefined);
  assert.equal(sightingOf(INDICATOR, ""), undefined);
});
