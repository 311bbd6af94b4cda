import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStix } from "@threatbus/stix";
import { MemoryLog } from "../memory-log.ts";
import { factory, indicator, sighting } from "../messages.ts";
import { Instance, idsOf, indicatorId, TestClock } from "./fixtures.ts";

const NOW = "2026-03-01T12:00:00Z";
const IN_TEN_MINUTES = "2026-03-01T12:10:00Z";
const TEN_MINUTES = 600_000;
const YESTERDAY = "2026-02-28T12:00:00Z";
const A = indicatorId(1);
const B = indicatorId(2);

function world() {
  return { log: new MemoryLog(), clock: new TestClock(NOW) };
}

test("a revoked indicator is followed by itself as a REMOVE, once, and nothing else changes", async (t) => {
  const instance = new Instance(t, world());
  const text = `{"revoked":true,"x_big":12345678901234567890,${indicator({ id: A }).bytes.toString().slice(1)}`;
  const parsed = parseStix(Buffer.from(text));
  assert.ok(parsed.ok);
  await instance.publish(indicator({ id: B }), factory.stix(parsed.value));
  await instance.settle();
  const [removal, ...others] = instance.removals;
  assert.equal(removal?.bytes.toString(), text.replace(/\}$/, ', "x_threatbus_update": "REMOVE"}'));
  assert.deepEqual([removal.source, others.length, await instance.counted("revoked")], ["threatbus", 0, 1]);
});

test("another value of x_threatbus_update is replaced", async (t) => {
  const instance = new Instance(t, world());
  await instance.publish(indicator({ revoked: true, x_threatbus_update: "EDIT", x_last: 1 }));
  await instance.settle();
  const text = indicator({ revoked: true, x_threatbus_update: "REMOVE", x_last: 1 }).bytes.toString();
  assert.deepEqual(
    instance.removals.map(({ bytes }) => bytes.toString()),
    [text],
  );
});

test("a REMOVE, a sighting and what is valid are followed by nothing, live and in the log", async (t) => {
  const { log, clock } = world();
  const harmless = [
    indicator({ id: A, revoked: true, x_threatbus_update: "REMOVE" }),
    indicator({ id: B, valid_until: YESTERDAY, x_threatbus_update: "REMOVE" }),
    sighting({ revoked: true }),
    sighting({ id: sighting().stix.object.id.replace("df", "00"), valid_until: YESTERDAY }),
    indicator({ id: indicatorId(3), valid_until: "2027-01-01T00:00:00Z", revoked: false }),
  ];
  const first = new Instance(t, { log, clock });
  await first.publish(...harmless);
  await first.advance(TEN_MINUTES);
  await first.end();
  log.setCursor("withdrawals", 0);
  log.setCursor("expired", 0);
  const second = new Instance(t, { log, clock });
  await second.settle();
  assert.deepEqual([first.removals, second.removals], [[], []]);
});

test("an indicator is withdrawn when its validity ends, and not before", async (t) => {
  const instance = new Instance(t, world());
  await instance.publish(
    indicator({ id: A, valid_until: IN_TEN_MINUTES }),
    indicator({ id: B, valid_until: "2026-03-01T12:20:00.5Z" }),
  );
  await instance.advance(TEN_MINUTES - 2_000);
  assert.deepEqual(instance.removals, []);
  await instance.advance(2_000, 500);
  assert.deepEqual(idsOf(instance.removals), [A]);
  await instance.advance(TEN_MINUTES + 1_500, 500);
  assert.deepEqual(idsOf(instance.removals), [A, B]);
  await instance.advance(TEN_MINUTES);
  assert.deepEqual([instance.removals.length, await instance.counted("expired")], [2, 2]);
});

test("one whose validity is over when it comes in is withdrawn at once", async (t) => {
  const instance = new Instance(t, world());
  await instance.settle();
  await instance.publish(indicator({ id: A, valid_until: YESTERDAY }));
  await instance.settle();
  assert.deepEqual(idsOf(instance.removals), [A]);
  // Between two looks at the ends, too: the next is made within a second.
  await instance.advance(10_000);
  await instance.publish(indicator({ id: B, valid_until: "2026-03-01T12:00:05Z" }));
  await instance.advance(1_000);
  assert.deepEqual(idsOf(instance.removals), [A, B]);
  assert.equal(await instance.counted("expired"), 2);
});

test("what ended while the bus was down is withdrawn at the next start, and not at those after", async (t) => {
  const { log, clock } = world();
  const first = new Instance(t, { log, clock });
  await first.publish(indicator({ id: A, valid_until: IN_TEN_MINUTES }), indicator({ id: B }));
  await first.settle();
  await first.end();
  clock.advance(TEN_MINUTES);
  const removed: (readonly string[])[] = [];
  for (let start = 0; start < 3; start += 1) {
    const next = new Instance(t, { log, clock });
    await next.settle();
    await next.end();
    removed.push(idsOf(next.removals));
  }
  assert.deepEqual(removed, [[A], [], []]);
});

test("what ended before the start waits for apps to come back; what comes in revoked or over does not", async (t) => {
  const { log, clock } = world();
  const first = new Instance(t, { log, clock });
  await first.publish(indicator({ id: A, valid_until: IN_TEN_MINUTES }));
  await first.settle();
  await first.end();
  clock.advance(TEN_MINUTES);
  const next = new Instance(t, { log, clock, grace: 10_000 });
  await next.publish(indicator({ id: B, revoked: true }), indicator({ id: indicatorId(3), valid_until: YESTERDAY }));
  await next.settle();
  await next.advance(9_000);
  assert.deepEqual(idsOf(next.removals), [B, indicatorId(3)]);
  await next.advance(1_000);
  assert.deepEqual(idsOf(next.removals), [B, indicatorId(3), A]);
  await next.advance(TEN_MINUTES);
  assert.equal(next.removals.length, 3);
});

test("a crash between a message and its REMOVE delays it to the next start; after the REMOVE none comes again", async (t) => {
  const { log, clock } = world();
  const crashing = new Instance(t, { log, clock, isCarried: false });
  await crashing.end();
  await crashing.publish(
    indicator({ id: A, revoked: true }),
    indicator({ id: B, valid_until: YESTERDAY, name: "came in too late" }),
  );
  const next = new Instance(t, { log, clock });
  await next.settle();
  assert.deepEqual(idsOf(next.removals).toSorted(), [A, B]);
  // It dies before it saves how far it has got.
  const again = new Instance(t, { log, clock });
  log.setCursor("withdrawals", 0);
  log.setCursor("expired", 0);
  const anew = new Instance(t, { log, clock });
  await Promise.all([again.settle(), anew.settle()]);
  assert.deepEqual([again.removals, anew.removals], [[], []]);
});

test("an indicator that is published anew stands, and is withdrawn by a message of its own when it is revoked again", async (t) => {
  const instance = new Instance(t, world());
  for (const members of [{ revoked: true }, {}, { revoked: true }]) {
    await instance.publish(indicator({ id: A, ...members }));
    await instance.settle();
  }
  const ids = instance.removals.map(({ id }) => id);
  assert.deepEqual([ids.length, new Set(ids).size], [2, 2]);
});

test("two instances that withdraw the same message do so under the same message id, for whatever reason", async (t) => {
  const clock = new TestClock(NOW);
  const message = indicator({ id: A, revoked: true, valid_until: YESTERDAY });
  const live = new Instance(t, { clock });
  await live.publish(message);
  const log = new MemoryLog();
  await log.append([message]);
  const logged = new Instance(t, { log, clock });
  await Promise.all([live.settle(), logged.settle()]);
  assert.deepEqual([live.removals.length, logged.removals.length], [1, 1]);
  assert.equal(live.removals[0]?.id, logged.removals[0]?.id);
});

test("what has a later state by then is not withdrawn", async (t) => {
  const instance = new Instance(t, world());
  await instance.publish(
    indicator({ id: A, revoked: true }),
    indicator({ id: A, modified: "2026-02-01T00:00:00.000Z" }),
    indicator({ id: B, valid_until: YESTERDAY }),
    indicator({ id: B, valid_until: "2027-01-01T00:00:00Z" }),
  );
  await instance.settle();
  assert.deepEqual(instance.removals, []);
});

test("a clock that is set forward ends what it says is over, and set back nothing is lost or ended too early", async (t) => {
  const { log, clock } = world();
  const instance = new Instance(t, { log, clock });
  await instance.publish(indicator({ id: A, valid_until: "2026-06-01T00:00:00Z" }));
  await instance.settle();
  clock.jumpTo("2030-01-01T00:00:00Z");
  await instance.advance(60_000);
  assert.deepEqual(idsOf(instance.removals), [A], "noticed within a minute");
  clock.jumpTo(NOW);
  const soon = indicator({ id: indicatorId(3), valid_until: "2026-03-01T12:00:20Z" });
  await instance.publish(indicator({ id: B, valid_until: IN_TEN_MINUTES }), soon);
  await instance.advance(19_500, 500);
  assert.deepEqual(idsOf(instance.removals), [A]);
  await instance.advance(1_500, 500);
  assert.deepEqual(idsOf(instance.removals), [A, indicatorId(3)]);
  await instance.advance(TEN_MINUTES - 23_000);
  assert.equal(instance.removals.length, 2);
  await instance.advance(4_000, 500);
  assert.deepEqual(idsOf(instance.removals), [A, indicatorId(3), B]);
});

test("a clock that was set back while the bus was down ends nothing too early", async (t) => {
  const { log, clock } = world();
  log.setCursor("expired", Date.parse("2030-01-01T00:00:00Z"));
  const instance = new Instance(t, { log, clock });
  await instance.publish(indicator({ id: A, valid_until: IN_TEN_MINUTES }));
  await instance.advance(TEN_MINUTES - 2_000);
  assert.deepEqual(instance.removals, []);
  await instance.advance(4_000, 500);
  assert.deepEqual(idsOf(instance.removals), [A]);
});

test("100,000 that come in at once and are over are withdrawn each once, most of them read from the log", async (t) => {
  const count = 100_000;
  const { log, clock } = world();
  const instance = new Instance(t, { log, clock });
  await instance.settle();
  const messages = Array.from({ length: count }, (_, n) => indicator({ id: indicatorId(n), valid_until: YESTERDAY }));
  await instance.publish(...messages);
  await instance.settle();
  assert.equal(new Set(idsOf(instance.removals)).size, count);
  assert.equal(instance.removals.length, count);
  assert.ok(log.calls.filter((call) => call === "read").length >= (count - 10_000) / 500);
  await instance.end();
  const next = new Instance(t, { log, clock });
  await next.settle();
  assert.deepEqual(next.removals, []);
});

test("thousands of ends at one time are dealt with in parts", async (t) => {
  const { log, clock } = world();
  const count = 3_500;
  await log.append(Array.from({ length: count }, (_, n) => indicator({ id: indicatorId(n), valid_until: YESTERDAY })));
  const instance = new Instance(t, { log, clock });
  await instance.settle();
  assert.deepEqual(idsOf(instance.removals).length, count);
  assert.equal(new Set(idsOf(instance.removals)).size, count);
});

test("while the log cannot write or answer, a REMOVE goes out all the same", async (t) => {
  const { log, clock } = world();
  const instance = new Instance(t, { log, clock });
  await instance.settle();
  log.state = "stalled";
  log.failure = new Error("the disk is full");
  await instance.publish(indicator({ id: A, revoked: true }), indicator({ id: B, valid_until: YESTERDAY }));
  await instance.settle();
  assert.deepEqual(idsOf(instance.removals), [A, B]);
  assert.deepEqual(
    instance.lines.map(({ level }) => level),
    ["warn"],
  );
  log.state = "ok";
  log.failure = undefined;
  await instance.publish(indicator({ id: indicatorId(3), valid_until: IN_TEN_MINUTES }));
  await instance.advance(TEN_MINUTES + 60_000);
  assert.deepEqual(idsOf(instance.removals), [A, B, indicatorId(3)]);
  log.state = "failed";
  await instance.publish(indicator({ id: A, revoked: true }));
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(instance.withdrawals.healthy, true);
});

test("without a log each message that is revoked or over is followed by a REMOVE, and a backlog is bounded", async (t) => {
  const instance = new Instance(t, { clock: new TestClock(NOW) });
  await instance.publish(indicator({ id: A, revoked: true }), indicator({ id: B, valid_until: YESTERDAY }), sighting());
  await instance.publish(indicator({ id: indicatorId(3), valid_until: IN_TEN_MINUTES }));
  await instance.publish(indicator({ id: A, revoked: true }));
  await instance.settle();
  assert.deepEqual(idsOf(instance.removals), [A, B, A]);
  await instance.publish(...Array.from({ length: 10_007 }, () => indicator({ revoked: true })));
  await instance.settle();
  assert.equal(instance.removals.length, 3 + 10_000);
  const dropped = await instance.metrics.getSingleMetric("threatbus_messages_dropped_total")?.get();
  assert.deepEqual(dropped?.values, [{ value: 7, labels: { component: "threatbus", reason: "withdrawal_backlog" } }]);
});

test("what was as large as can be is withdrawn although the REMOVE makes it larger", async (t) => {
  const instance = new Instance(t, world());
  const room = 10 * 1024 * 1024 - indicator({ id: A, revoked: true, description: "" }).bytes.length;
  const longest = indicator({ id: A, revoked: true, description: "d".repeat(room) });
  const fullest = indicator({ id: B, revoked: true, x_list: Array(24_988).fill(1) });
  await instance.publish(longest, fullest);
  await instance.settle();
  assert.deepEqual(idsOf(instance.removals), [A, B]);
  for (const { bytes } of instance.removals) {
    const parsed = parseStix(bytes);
    assert.equal(parsed.ok, false, "it is beyond the limits now");
  }
});

test("an idle bus asks the log once a minute, and writes how far it is at the start; a new log is not read", async (t) => {
  const { log, clock } = world();
  const instance = new Instance(t, { log, clock });
  await instance.advance(TEN_MINUTES);
  assert.deepEqual(log.calls.toSorted(), [...Array(10).fill("expired"), "setCursor expired"]);
});

test("settled waits until the REMOVEs of what came in are in the inq, or is given up", async (t) => {
  const { clock } = world();
  const instance = new Instance(t, { clock });
  const never = new AbortController();
  await instance.withdrawals.settled(never.signal);
  // More than the inq holds.
  await instance.publish(...Array.from({ length: 150 }, (_, n) => indicator({ id: indicatorId(n), revoked: true })));
  const impatient = new AbortController();
  const givenUp = assert.rejects(instance.withdrawals.settled(impatient.signal), { name: "AbortError" });
  const settled = instance.withdrawals.settled(never.signal);
  impatient.abort();
  await givenUp;
  await instance.settle();
  await settled;
  assert.equal(instance.removals.length, 150);
});

test("a REMOVE that is on its way to the log is not sent again", async (t) => {
  const { log, clock } = world();
  const instance = new Instance(t, { log, clock, isCarried: false });
  await instance.settle();
  const message = indicator({ id: A, revoked: true });
  await instance.publish(message);
  await instance.settle();
  instance.withdrawals.observe([message]);
  await instance.settle();
  assert.deepEqual(idsOf(instance.removals), [A]);
});
