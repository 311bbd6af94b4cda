import assert from "node:assert/strict";
import { test } from "node:test";
import { Loops } from "../src/loops.ts";

const ID = "indicator--3cb7a1f0-6b0d-5d3a-9b86-6b9b7a1c2d3e";

test("events of this connector's user are its own, but for what is sent again from the database", () => {
  const loops = new Loops();
  assert.equal(loops.isOwnEvent({ user_id: "me" }), false, "before it is known who it is");
  assert.equal(loops.isOwnEvent({}), false);
  loops.ownUserId = "me";
  assert.equal(loops.isOwnEvent({ user_id: "me" }), true);
  assert.equal(loops.isOwnEvent({ user_id: "me", referer: "init" }), false);
  assert.equal(loops.isOwnEvent({ user_id: "another" }), false);
  assert.equal(loops.isOwnEvent({}), false);
});

test("what was published is known by id and state, for a while", () => {
  let now = 0;
  const loops = new Loops({ ttl: 1_000, now: () => now, known: (id) => id === "old" });
  loops.published(ID, "2024-06-10T06:13:20.000Z");
  now = 999;
  assert.equal(loops.wasPublished(ID, "2024-06-10T06:13:20.000Z"), true);
  assert.equal(loops.wasPublished(ID, "2024-06-10T06:13:20.001Z"), false);
  now = 1_000;
  assert.equal(loops.wasPublished(ID, "2024-06-10T06:13:20.000Z"), false);
  assert.equal(loops.wasPublished("old", ""), true, "the store remembers longer");
});

test("it forgets the oldest when there are too many", () => {
  const loops = new Loops({ limit: 3 });
  for (const id of ["a", "b", "c", "a", "d"]) loops.published(id, "");
  assert.deepEqual(
    ["a", "b", "c", "d"].map((id) => loops.wasPublished(id, "")),
    [true, false, true, true],
  );
});
