import assert from "node:assert/strict";
import { test } from "node:test";
import { type DeathReason, Liveness } from "../src/liveness.ts";
import { FakeClock } from "./fake-clock.ts";

const LIMITS = { subscribeTimeout: 30, heartbeatTimeout: 20, linger: 10 };

function setUp() {
  const clock = new FakeClock();
  const deaths: DeathReason[] = [];
  const liveness = new Liveness(LIMITS, clock, (reason) => deaths.push(reason));
  return { clock, deaths, liveness };
}

test("an app that never connects is dropped after the subscribe timeout, heartbeats or not", () => {
  const { clock, deaths, liveness } = setUp();
  liveness.heartbeat();
  clock.advance(29);
  assert.deepEqual(deaths, []);
  clock.advance(1);
  assert.deepEqual(deaths, ["never-connected"]);
});

test("a connected app that sends no heartbeats has no timer running", () => {
  const { clock, deaths, liveness } = setUp();
  liveness.attached();
  assert.equal(clock.running, 0);
  clock.advance(1_000_000);
  assert.deepEqual(deaths, []);
});

test("an app that disconnects is dead after linger; one that comes back inside is not", () => {
  const { clock, deaths, liveness } = setUp();
  liveness.attached();
  liveness.detached();
  clock.advance(9);
  liveness.attached();
  clock.advance(100);
  assert.deepEqual(deaths, []);
  liveness.detached();
  clock.advance(10);
  assert.deepEqual(deaths, ["disconnected"]);
});

test("an app that has begun to send heartbeats is dead after timeout and linger without one", () => {
  const { clock, deaths, liveness } = setUp();
  liveness.attached();
  liveness.heartbeat();
  for (let beat = 0; beat < 5; beat += 1) {
    clock.advance(19);
    liveness.heartbeat();
  }
  clock.advance(20);
  clock.advance(9);
  assert.deepEqual(deaths, []);
  clock.advance(1);
  assert.deepEqual(deaths, ["no-heartbeat"]);
});

test("a heartbeat inside linger saves the subscription, and the next miss counts again", () => {
  const { clock, deaths, liveness } = setUp();
  liveness.attached();
  liveness.heartbeat();
  clock.advance(20);
  liveness.heartbeat();
  clock.advance(19);
  assert.deepEqual(deaths, []);
  clock.advance(1);
  clock.advance(10);
  assert.deepEqual(deaths, ["no-heartbeat"]);
});

test("heartbeats do not save an app whose socket is gone", () => {
  const { clock, deaths, liveness } = setUp();
  liveness.attached();
  liveness.heartbeat();
  liveness.detached();
  clock.advance(5);
  liveness.heartbeat();
  clock.advance(5);
  assert.deepEqual(deaths, ["disconnected"]);
});

test("after its end no timer runs", () => {
  const { clock, liveness } = setUp();
  liveness.attached();
  liveness.heartbeat();
  liveness.detached();
  liveness.end();
  assert.equal(clock.running, 0);
});
