import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { loggedMessage } from "../../src/flow/logged-message.ts";
import { MemoryLog } from "../memory-log.ts";
import { indicator } from "../messages.ts";
import { Instance, indicatorId, TestClock } from "./fixtures.ts";

const START = Date.parse("2026-03-01T12:00:00Z");
const MINUTE = 60_000;

/** What can happen to a bus, its apps and its clock. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant("publish" as const),
    id: fc.integer({ min: 1, max: 4 }),
    modified: fc.integer({ min: 0, max: 2 }),
    revoked: fc.constantFrom(true, false, false),
    update: fc.constantFrom(undefined, undefined, undefined, "EDIT", "REMOVE"),
    /** Minutes from then. */
    end: fc.option(fc.integer({ min: -3, max: 8 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ kind: fc.constant("jump" as const), minutes: fc.integer({ min: -10, max: 10 }) }),
  fc.record({ kind: fc.constant("restart" as const) }),
  // It dies with what it had in hand, and with what it had not written yet.
  fc.record({ kind: fc.constant("crash" as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function published({ id, modified, revoked, update, end }: Extract<Step, { kind: "publish" }>, now: number) {
  return indicator({
    id: indicatorId(id),
    modified: new Date(START - MINUTE + modified).toISOString(),
    ...(revoked ? { revoked } : {}),
    ...(update === undefined ? {} : { x_threatbus_update: update }),
    ...(end === undefined ? {} : { valid_until: new Date(now + end * MINUTE).toISOString() }),
  });
}

test("whatever happens, in the end everything revoked or over is withdrawn, and nothing twice", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => perform(t, steps)),
    { numRuns: 300 },
  );
});

test("the clock is set back and on again, and a crash in between does not make what came in meanwhile stay", async (t) => {
  await perform(t, [
    { kind: "pass", seconds: 1 },
    { kind: "jump", minutes: -1 },
    // It ends at the very time up to which ends were dealt with before.
    { kind: "publish", id: 1, modified: 0, revoked: false, update: undefined, end: 1 },
    { kind: "pass", seconds: 1 },
    { kind: "jump", minutes: 1 },
    { kind: "crash" },
    { kind: "pass", seconds: 1 },
  ]);
});

test("the clock is set back before a crash: what came in and has not ended by the new time is not withdrawn", async (t) => {
  await perform(t, [
    { kind: "pass", seconds: 1 },
    { kind: "jump", minutes: -10 },
    { kind: "publish", id: 1, modified: 0, revoked: false, update: undefined, end: 8 },
    { kind: "crash" },
    { kind: "pass", seconds: 1 },
  ]);
});

test("the clock is set back while ends are looked for: what comes in then and has not ended is not withdrawn", async (t) => {
  await perform(t, [
    { kind: "publish", id: 1, modified: 0, revoked: false, update: undefined, end: 0 },
    { kind: "jump", minutes: 4 },
    { kind: "jump", minutes: -7 },
    { kind: "publish", id: 1, modified: 1, revoked: false, update: undefined, end: 3 },
    { kind: "restart" },
  ]);
});

async function perform(t: TestContext, steps: readonly Step[]): Promise<void> {
  const log = new MemoryLog();
  const clock = new TestClock(new Date(START).toISOString());
  const times: [position: number, now: number][] = [];
  let instance = new Instance(t, { log, clock });
  for (const each of steps) {
    times.push([log.last, clock.now()]);
    const cursors = ["withdrawals", "expired"].map((name) => [name, log.cursor(name)] as const);
    if (each.kind === "publish") await instance.publish(published(each, clock.now()));
    else if (each.kind === "pass") await instance.advance(each.seconds * 1_000);
    else if (each.kind === "jump") clock.jumpTo(new Date(clock.now() + each.minutes * MINUTE).toISOString());
    else {
      if (each.kind === "restart") await instance.settle();
      await instance.end();
      if (each.kind === "crash") for (const [name, value] of cursors) log.setCursor(name, value);
      instance = new Instance(t, { log, clock });
    }
  }
  times.push([log.last, clock.now()]);
  await instance.advance(3 * MINUTE);
  await instance.end();
  times.push([log.last, clock.now()]);
  verify(log, clock.now());
  verifyEnds(log, times);
}

function verify(log: MemoryLog, now: number): void {
  const newest = new Map<string, ReturnType<typeof loggedMessage>>();
  for (const message of log.records.map(loggedMessage)) {
    const { object } = message.stix;
    const known = newest.get(object.id)?.stix.object.modified ?? "";
    if (object.modified >= known) newest.set(object.id, message);
  }
  for (const { stix } of newest.values()) {
    const { revoked, valid_until, x_threatbus_update } = stix.object;
    const isOver = typeof valid_until === "string" && Date.parse(valid_until) <= now;
    const stands = x_threatbus_update !== "REMOVE";
    assert.ok(!(stands && (revoked === true || isOver)), `${stix.bytes} should be withdrawn`);
  }
  const removals = log.records.filter(({ source }) => source === "threatbus").map(({ messageId }) => messageId);
  assert.equal(new Set(removals).size, removals.length, "withdrawn twice");
}

/** What was withdrawn had been revoked, or had ended by what the clock showed while it was in the log. */
function verifyEnds(log: MemoryLog, times: readonly (readonly [position: number, now: number])[]): void {
  for (const removal of log.records.filter(({ source }) => source === "threatbus")) {
    const isOver = log.records.some(
      ({ stixId, modified, source, position, validUntil = Number.POSITIVE_INFINITY, bytes }) => {
        if (stixId !== removal.stixId || modified !== removal.modified || source === "threatbus") return false;
        if (bytes.includes('"revoked": true')) return true;
        const until = times.findIndex(([last]) => last >= removal.position);
        return times.slice(0, until + 1).some(([last, now]) => last >= position && now >= validUntil);
      },
    );
    assert.ok(isOver, `${removal.bytes} was withdrawn too early`);
  }
}
