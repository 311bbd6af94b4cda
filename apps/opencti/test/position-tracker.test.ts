import assert from "node:assert/strict";
import { test } from "node:test";
import { PositionTracker } from "../src/stream/position-tracker.ts";

test("a position is safe when a newer one comes, not before", () => {
  const tracker = new PositionTracker({ from: "100-0" });
  tracker.see("200-0", "unknown");
  tracker.see("200-0", "live");
  assert.deepEqual(tracker.safe, { from: "100-0" }, "the object may have more frames");
  tracker.see("300-0", "live");
  assert.deepEqual(tracker.safe, { from: "200-0" });
  tracker.see("300-0", "heartbeat");
  assert.deepEqual(tracker.safe, { from: "200-0" });
  tracker.see("300-1", "heartbeat");
  assert.deepEqual(tracker.safe, { from: "300-0" });
});

test("a heartbeat among frames that belong together, and ids that are none, change nothing", () => {
  const tracker = new PositionTracker({ from: "100-0" });
  tracker.see("200-0", "unknown");
  tracker.see("100-0", "heartbeat");
  tracker.see("200-0", "live");
  tracker.see(undefined, "heartbeat");
  tracker.see("nonsense", "live");
  assert.deepEqual(tracker.safe, { from: "100-0" });
});

test("without a position everything from the first event on is wanted", () => {
  const tracker = new PositionTracker(undefined);
  tracker.see("200-0", "live");
  assert.deepEqual(tracker.safe, { from: "199-0" });
  tracker.see("201-0", "heartbeat");
  assert.deepEqual(tracker.safe, { from: "200-0" });
  const second = new PositionTracker(undefined);
  second.see("200-3", "live");
  assert.deepEqual(second.safe, { from: "200-2" });
});

const UNTIL = new Date(1_000_000).toISOString();

test("a replay moves on, keeps its end, and is over with the first live event", () => {
  const tracker = new PositionTracker({ from: "100-0", recoverUntil: UNTIL, republish: true });
  tracker.see("500-0", "replayed");
  tracker.see("600-0", "replayed");
  assert.deepEqual(tracker.safe, { from: "500-0", recoverUntil: UNTIL, republish: true });
  tracker.see("999999-0", "unknown");
  assert.ok(tracker.replaying);
  tracker.see("1000001-0", "live");
  assert.deepEqual(tracker.safe, { from: "1000000-0" });
  tracker.see("1000002-0", "live");
  assert.deepEqual(tracker.safe, { from: "1000001-0" });
});

test("a replay is over with two heartbeats behind its end, not with one before what is still replayed", () => {
  const tracker = new PositionTracker({ from: "100-0", recoverUntil: UNTIL });
  tracker.see("100-0", "heartbeat");
  tracker.see("1000000-0", "heartbeat");
  tracker.see("500-0", "replayed");
  tracker.see("1000000-0", "heartbeat");
  assert.ok(tracker.replaying);
  tracker.see("1000000-0", "heartbeat");
  assert.ok(!tracker.replaying);
  assert.deepEqual(tracker.safe, { from: "1000000-0" });
});
