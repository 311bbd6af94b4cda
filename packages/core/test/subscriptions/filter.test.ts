import assert from "node:assert/strict";
import { test } from "node:test";
import { type ContentFilter, compileFilter, contentFilterSchema } from "../../src/subscriptions/filter.ts";
import { envelope, indicator, request, sighting } from "../messages.ts";

const IDENTITY = "identity--f431f809-377b-45e0-aa1c-6a4751cae5ff";
const TLP = {
  green: "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
  red: "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
};

const cases: readonly { readonly filter: ContentFilter; readonly passes: object[]; readonly fails: object[] }[] = [
  {
    filter: { object_paths: ["ipv4-addr:value", "url:value"] },
    passes: [{}, { pattern: "[url:value = 'http://a.example/']" }],
    fails: [
      { pattern: "[domain-name:value = 'a.example']" },
      { pattern: "[ipv4-addr:value = '198.51.100.3' AND url:value = 'http://a.example/']" },
    ],
  },
  { filter: { pattern_types: ["stix", "sigma"] }, passes: [{}], fails: [{ pattern: "x", pattern_type: "snort" }] },
  {
    filter: { min_confidence: 50 },
    passes: [{ confidence: 50 }, { confidence: 100 }],
    fails: [{}, { confidence: 49 }],
  },
  { filter: { labels: ["a", "b"] }, passes: [{ labels: ["x", "b"] }], fails: [{}, { labels: ["x"] }] },
  {
    filter: { indicator_types: ["malicious-activity"] },
    passes: [{ indicator_types: ["benign", "malicious-activity"] }],
    fails: [{}, { indicator_types: ["benign"] }],
  },
  {
    filter: { created_by_refs: [IDENTITY] },
    passes: [{ created_by_ref: IDENTITY }],
    fails: [{}, { created_by_ref: "identity--023d105b-752e-4e3c-941c-7d3f3cb15e9e" }],
  },
  {
    filter: { max_tlp: "amber" },
    passes: [{}, { object_marking_refs: [TLP.green] }],
    fails: [{ object_marking_refs: [TLP.red] }, { object_marking_refs: [TLP.green, TLP.red] }],
  },
  {
    filter: { labels: ["a"], min_confidence: 10 },
    passes: [{ labels: ["a"], confidence: 10 }],
    fails: [{ labels: ["a"] }, { confidence: 10 }],
  },
  { filter: {}, passes: [{}], fails: [] },
];

for (const { filter, passes, fails } of cases) {
  test(`filter ${JSON.stringify(filter)}`, () => {
    const { matches } = compileFilter(filter);
    for (const members of passes) assert.equal(matches(indicator(members)), true, JSON.stringify(members));
    for (const members of fails) assert.equal(matches(indicator(members)), false, JSON.stringify(members));
  });
}

test("sightings are held back by max_tlp alone, snapshot messages by nothing", () => {
  const { matches } = compileFilter({ max_tlp: "green", min_confidence: 100, labels: [] });
  assert.equal(matches(sighting()), true);
  assert.equal(matches(sighting({ object_marking_refs: [TLP.red] })), false);
  assert.equal(matches(request("indicator")), true);
  assert.equal(matches(envelope(indicator({ object_marking_refs: [TLP.red] }).stix)), true);
});

test("equal filters are one object, whatever the order of their members", () => {
  const filter = compileFilter({ labels: ["a"], min_confidence: 1 });
  assert.equal(compileFilter({ min_confidence: 1, labels: ["a"] }), filter);
  assert.notEqual(compileFilter({ min_confidence: 2, labels: ["a"] }), filter);
});

test("a filter from outside is bounded and knows no other members", () => {
  for (const bad of [
    { colour: "red" },
    { min_confidence: 101 },
    { min_confidence: 1.5 },
    { max_tlp: "white-ish" },
    { labels: "a" },
    { labels: Array.from({ length: 1_001 }, () => "a") },
    { object_paths: ["x".repeat(1_001)] },
  ]) {
    assert.equal(contentFilterSchema.safeParse(bad).success, false, JSON.stringify(bad).slice(0, 80));
  }
  assert.deepEqual(contentFilterSchema.parse({ max_tlp: "amber+strict" }), { max_tlp: "amber+strict" });
});
