import assert from "node:assert/strict";
import { test } from "node:test";
import { indicator } from "@threatbus/testkit";
import { batches } from "../src/batches.ts";
import { sightingsOf } from "../src/sightings.ts";
import { observed } from "./support/stub.ts";

const INDICATOR = indicator({ members: { x_source: "misp" } }).object;

const idsOf = (objects: readonly unknown[]) => sightingsOf(INDICATOR, objects).valid.map(({ object }) => object.id);

test("an observation is a sighting with its times and its number", () => {
  const { valid, refused } = sightingsOf(INDICATOR, [observed("198.51.100.3")]);
  const [sighting] = valid.map(({ object }) => object);
  assert.deepEqual(refused, []);
  assert.ok(sighting !== undefined);
  const { id, created, modified, ...rest } = sighting;
  assert.match(id, /^sighting--[0-9a-f]{8}-[0-9a-f]{4}-5/);
  assert.equal(created, modified);
  assert.deepEqual(rest, {
    type: "sighting",
    spec_version: "2.1",
    first_seen: "2024-06-10T06:00:00Z",
    last_seen: "2024-06-10T06:05:00Z",
    count: 3,
    sighting_of_ref: INDICATOR.id,
    x_threatbus_sighting_context: observed("198.51.100.3"),
    x_threatbus_indicator: INDICATOR,
  });
});

test("times and numbers that cannot be are left out", () => {
  const wrong = { first_observed: "yesterday", last_observed: undefined, number_observed: -1 };
  const [sighting] = sightingsOf(INDICATOR, [observed("198.51.100.3", wrong)]).valid.map(({ object }) => object);
  assert.ok(sighting !== undefined);
  assert.equal(sighting.first_seen, undefined);
  assert.equal(sighting.count, undefined);
  assert.equal(sighting.last_seen, sighting.created);
  const reversed = { first_observed: "2024-06-10T06:05:00.001Z" };
  assert.equal(sightingsOf(INDICATOR, [observed("198.51.100.3", reversed)]).valid[0]?.object.first_seen, undefined);
});

test("the same observation has the same id, whatever the translation makes anew", () => {
  const again = { id: "observed-data--other", created: "2025-01-01T00:00:00Z", modified: "2025-01-01T00:00:00Z" };
  const [first] = idsOf([observed("198.51.100.3")]);
  assert.deepEqual(idsOf([observed("198.51.100.3", again)]), [first]);
  const keys = Object.fromEntries(Object.entries(observed("198.51.100.3")).reverse());
  assert.deepEqual(idsOf([keys]), [first]);
  assert.notEqual(idsOf([observed("198.51.100.4")])[0], first);
  assert.notEqual(idsOf([observed("198.51.100.3", { number_observed: 4 })])[0], first);
  const other = { ...INDICATOR, id: "indicator--00000000-0000-4000-8000-000000000001" };
  assert.notEqual(sightingsOf(other, [observed("198.51.100.3")]).valid[0]?.object.id, first);
});

test("in STIX 2.1 the objects referred to are the content, their random ids are not", () => {
  const answer = (suffix: string, value: string) => [
    observed(value, { objects: undefined, object_refs: [`process--${suffix}`, `ipv4-addr--${suffix}`] }),
    { type: "process", id: `process--${suffix}`, pid: 7, parent_ref: `ipv4-addr--${suffix}` },
    { type: "ipv4-addr", id: `ipv4-addr--${suffix}`, value },
  ];
  const [first] = idsOf(answer("1", "198.51.100.3"));
  assert.deepEqual(idsOf(answer("2", "198.51.100.3")), [first]);
  assert.notEqual(idsOf(answer("1", "198.51.100.4"))[0], first);
});

test("what is no observation is left out, what is no valid sighting is told", () => {
  const { valid, refused } = sightingsOf(INDICATOR, [
    null,
    7,
    "observed-data",
    { type: "identity" },
    observed("x", { custom: JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`) }),
  ]);
  assert.deepEqual(valid, []);
  assert.deepEqual(refused, ["nested too deeply"]);
});

test("rows are cut into lists by number and by size", () => {
  const long: string[] = [];
  const cut = (rows: readonly unknown[], bytes: number) => [...batches(rows, bytes, () => long.push("long"))];
  assert.deepEqual(cut([], 100), []);
  assert.deepEqual(cut([{ a: 1 }, "é"], 100), ['[{"a":1},"é"]']);
  const parts = cut(
    Array.from({ length: 1_201 }, (_, index) => index),
    1_000_000,
  );
  assert.deepEqual(
    parts.map((part) => (JSON.parse(part) as unknown[]).length),
    [500, 500, 201],
  );
  const bounded = cut(["é".repeat(20), "é".repeat(20), "x".repeat(200), "end"], 100);
  assert.ok(bounded.every((part) => Buffer.byteLength(part) <= 100));
  assert.deepEqual(bounded.flatMap((part) => JSON.parse(part) as unknown[]).length, 3);
  assert.deepEqual(long, ["long"]);
});
