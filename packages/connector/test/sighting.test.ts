import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStixObject } from "@threatbus/stix";
import { makeSighting, nameBasedUuid } from "../src/sighting.ts";

const REF = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";
const LAST = "2024-06-10T06:05:00Z";

test("a sighting is valid STIX, with what is known of it", () => {
  const plain = makeSighting({ ref: REF, lastSeen: LAST });
  assert.deepEqual(Object.keys(plain).sort(), [
    "created",
    "id",
    "last_seen",
    "modified",
    "sighting_of_ref",
    "spec_version",
    "type",
  ]);
  assert.ok(parseStixObject(plain).ok);
  const full = makeSighting({
    ref: REF,
    firstSeen: LAST,
    lastSeen: LAST,
    count: 0,
    custom: { x_threatbus_source: "a" },
  });
  assert.ok(parseStixObject(full).ok);
  assert.deepEqual([full.first_seen, full.count, full.x_threatbus_source], [LAST, 0, "a"]);
});

test("the same key gives the same id, none another one each time", () => {
  const id = (key?: readonly string[]) =>
    makeSighting({ ref: REF, lastSeen: LAST, ...(key === undefined ? {} : { key }) }).id;
  assert.equal(id(["a", "b"]), id(["a", "b"]));
  assert.notEqual(id(["a", "b"]), id(["b", "a"]));
  assert.notEqual(id(["ab"]), id(["a", "b"]));
  assert.notEqual(id(["a", ""]), id(["a"]));
  assert.notEqual(id(["1:a"]), id(["a"]));
  assert.notEqual(id(), id());
});

test("ids are UUIDs of version 5 and never change", () => {
  assert.match(nameBasedUuid("a"), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  // Written down: an update of the connector must not report everything once more.
  assert.equal(nameBasedUuid("sighting", "zeek", "ü"), PINNED);
});

const PINNED = "ca3464cb-5ead-50d2-86b7-f6de79e43a76";
