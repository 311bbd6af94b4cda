import assert from "node:assert/strict";
import { test } from "node:test";
import { decideStart, type StartQuestion } from "../src/stream/start.ts";

const RANGE = { firstEventId: "1715000000000-0", lastEventId: "1718001000123-4" };
const UNTIL = "2024-06-10T06:30:00.123Z";
const ask = (question: Partial<StartQuestion>) =>
  decideStart({ position: undefined, range: RANGE, importFrom: undefined, now: 0, ...question });

test("the first contact begins at the newest event", () => {
  assert.deepEqual(ask({}), { kind: "restart", position: { from: "1718001000123-4" }, why: "first_contact" });
});

test("a stream without events is read from its beginning, which is no gap when there are some", () => {
  const range = { firstEventId: "0-0", lastEventId: "0-0" };
  assert.deepEqual(ask({ range }), { kind: "restart", position: { from: "0-0" }, why: "first_contact" });
  assert.deepEqual(ask({ position: { from: "0-0" } }), { kind: "go_on" });
});

test("a stream that tells nothing of itself is read from now on", () => {
  assert.deepEqual(ask({ range: {} }), { kind: "go_on" });
});

test("a position that the stream still has is where it goes on", () => {
  assert.deepEqual(ask({ position: { from: "1715000000000-0" } }), { kind: "go_on" });
  assert.deepEqual(ask({ position: { from: "1999000000000-0" } }), { kind: "go_on" });
});

test("a position that the stream no longer has needs a replay up to the newest event", () => {
  const from = "1714999999999-9";
  assert.deepEqual(ask({ position: { from } }), {
    kind: "restart",
    position: { from, recoverUntil: UNTIL },
    why: "gap",
  });
});

test("a replay goes on after a break, and further when the stream's beginning has overtaken its end", () => {
  assert.deepEqual(ask({ position: { from: "5-0", recoverUntil: UNTIL } }), { kind: "go_on" });
  const overtaken = { from: "5-0", recoverUntil: "2024-05-01T00:00:00.000Z" };
  assert.deepEqual(ask({ position: overtaken }), {
    kind: "restart",
    position: { from: "5-0", recoverUntil: UNTIL },
    why: "gap",
  });
});

test("a replay up to the only event of a stream needs no other", () => {
  const range = { firstEventId: "1718001000123-4", lastEventId: "1718001000123-4" };
  assert.deepEqual(ask({ range, position: { from: "5-0", recoverUntil: UNTIL } }), { kind: "go_on" });
});

test("an import begins at its date and ends at OpenCTI's newest event, not at this machine's time", () => {
  assert.deepEqual(ask({ position: { from: "1718001000000-0" }, importFrom: new Date(0), now: 9e12 }), {
    kind: "restart",
    position: { from: "0-0", recoverUntil: UNTIL, republish: true },
    why: "import",
  });
});
