import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvent } from "../src/stream/event.ts";

const DATA = { id: "indicator--3cb7a1f0-6b0d-5d3a-9b86-6b9b7a1c2d3e", type: "indicator" };

function read(body: unknown) {
  const told: number[] = [];
  const data = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const result = readEvent("create", { event: "create", id: "1-0", data, size: 0 }, (version) => told.push(version));
  return { result: result.ok ? "ok" : result.reason, told };
}

test("events of version 4 and later are read, later ones with a word, earlier ones not", () => {
  assert.deepEqual(read({ version: "4", data: DATA }), { result: "ok", told: [] });
  assert.deepEqual(read({ version: 4, data: DATA }), { result: "ok", told: [] });
  assert.deepEqual(read({ version: "5", data: DATA }), { result: "ok", told: [5] });
  assert.deepEqual(read({ version: "3", data: DATA }), { result: "old_event_version", told: [] });
  assert.deepEqual(read({ version: "soon", data: DATA }), { result: "old_event_version", told: [] });
});

test("what is no event is told apart", () => {
  for (const body of [
    '{"version":"4","data":{',
    "null",
    "[]",
    '"text"',
    { version: "4" },
    { version: "4", data: [] },
    { data: DATA },
  ]) {
    assert.equal(read(body).result, "malformed_event", JSON.stringify(body));
  }
});

test("an origin or context of another shape does not lose the event", () => {
  assert.equal(read({ version: "4", data: DATA, origin: "somebody", context: [] }).result, "ok");
  assert.equal(read({ version: "4", data: DATA, origin: { user_id: 7, referer: null } }).result, "ok");
});
