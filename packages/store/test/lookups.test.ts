import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "@threatbus/store";
import { collect, folderOf, indicator, indicatorId, indicators, openStore, positions, sighting } from "./support.ts";

/** More rows than wait in memory for the indexes, so that both ways of looking up are taken. */
const MANY = 40_000;

const EARLY = "2026-01-01T00:00:00.000Z";
const LATE = "2026-06-01T00:00:00.000Z";

test("an object's states, newest modified first, and of equal ones the one appended last", async (t) => {
  const store = await openStore(t);
  const stixId = indicatorId(7);
  await store.append([
    indicator(1, { stixId, object: { modified: LATE } }),
    indicator(2, { stixId, object: { modified: EARLY } }),
    indicator(3),
    indicator(4, { stixId, object: { modified: LATE, revoked: true } }),
  ]);
  assert.deepEqual(positions(await store.byId(stixId)), [4, 1, 2]);
  const latest = await store.latest(stixId);
  assert.deepEqual([latest?.position, latest?.removed], [4, true]);
  assert.deepEqual(positions(await store.byId(stixId, 2)), [4, 1]);
  assert.equal(await store.latest(indicatorId(99)), undefined);
});

test("the times of an object are kept to the microsecond, whatever their form", async (t) => {
  const store = await openStore(t);
  const second = 1_767_323_045_000_000;
  const times: [text: string, micros: number][] = [
    ["2026-01-02T03:04:05Z", second],
    ["2026-01-02T03:04:05.12Z", second + 120_000],
    ["2026-01-02T03:04:05.123Z", second + 123_000],
    ["2026-01-02T03:04:05.1234Z", second + 123_400],
    ["2026-01-02T03:04:05.123456Z", second + 123_456],
    ["2026-01-02T03:04:05.000007Z", second + 7],
    ["1969-12-31T23:59:59.999999Z", -1],
    ["2026-01-02T03:04:05.123456789Z", second + 123_456],
  ];
  await store.append(times.map(([modified], index) => indicator(index + 1, { object: { modified } })));
  for (const [index, [text, micros]] of times.entries()) {
    assert.equal((await store.latest(indicatorId(index + 1)))?.modified, micros, text);
  }
});

test("look-ups find what is in the indexes, what waits for them, and both after the log was opened again", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  const twice = { object: { modified: LATE } };
  await store.append(indicators(MANY));
  await store.append([indicator(5, twice), indicator(MANY, twice)]);
  const verify = async (log: Store): Promise<void> => {
    assert.deepEqual(positions(await log.byId(indicatorId(5))), [MANY + 1, 5]);
    assert.deepEqual(positions(await log.byId(indicatorId(MANY))), [MANY + 2, MANY]);
    assert.deepEqual(positions(await log.byValue("d5.example")), [MANY + 1, 5]);
    assert.deepEqual(positions(await log.byValue(`d${MANY}.example`)), [MANY + 2, MANY]);
    const all = await collect(log.snapshot());
    assert.equal(all.length, MANY);
    assert.deepEqual(positions(all.slice(-2)), [MANY + 1, MANY + 2]);
  };
  await verify(store);
  const reader = await Store.open({ path: store.path, readOnly: true });
  await store.flush();
  await verify(reader);
  await reader.close();
  await store.close();
  await verify(await openStore(t, { path }));
});

test("a value is found with its object path or without, exactly as written", async (t) => {
  const store = await openStore(t);
  await store.append([
    indicator(1, { object: { pattern: "[ipv4-addr:value = '6.6.6.6']" } }),
    indicator(2, { object: { pattern: "[url:value = '6.6.6.6']" } }),
    indicator(3, { object: { pattern: "[url:value = '6.6.6.6 ']" } }),
    indicator(4, { object: { pattern: "[url:value = 'a'] AND [url:value = '6.6.6.6']" } }),
    sighting(5),
  ]);
  assert.deepEqual(positions(await store.byValue("6.6.6.6")), [2, 1]);
  assert.deepEqual(positions(await store.byValue("6.6.6.6", { objectPath: "ipv4-addr:value" })), [1]);
  assert.deepEqual(positions(await store.byValue("6.6.6.6", { limit: 1 })), [2]);
  assert.deepEqual(positions(await store.byValue("")), []);
  assert.deepEqual(positions(await store.byValue(indicatorId(5), { objectPath: "sighting_of_ref" })), [5]);
  assert.deepEqual(positions(await store.byValue(indicatorId(1), { objectPath: "sighting_of_ref" })), []);
});

test("a time finds its position, also after the clock has jumped back", async (t) => {
  const store = await openStore(t);
  const times = [100, 200, 300, 150, 160, 290, 310, 400];
  for (const [index, receivedAt] of times.entries()) {
    await store.append([indicator(index, { receivedAt })]);
    // A block each, since blocks are what times are kept of.
    await store.flush();
  }
  assert.equal(await store.positionBefore(0), 0);
  assert.equal(await store.positionBefore(150), 1);
  assert.equal(await store.positionBefore(300), 2);
  assert.equal(await store.positionBefore(301), 6);
  assert.equal(await store.positionBefore(401), 8);
  const since = await collect(store.snapshot({ since: 290 }));
  assert.deepEqual(
    since.map(({ receivedAt }) => receivedAt),
    [300, 290, 310, 400],
  );
});

test("a clock that jumped back while the log was closed hides nothing that was received since", async (t) => {
  const path = folderOf(t);
  const before = await openStore(t, { path });
  await before.append(indicators(10, 1, { receivedAt: 9000 }));
  await before.close();
  const store = await openStore(t, { path });
  await store.append(indicators(10, 11, { receivedAt: 5000 }));
  await store.flush();
  await store.append(indicators(10, 21, { receivedAt: 9500 }));
  // Everything received at 5000 or later lies behind it: also what was received before the jump.
  assert.equal(await store.positionBefore(5000), 0);
  assert.equal(await store.positionBefore(9000), 0);
  assert.equal(await store.positionBefore(9001), 20);
  assert.equal(await store.positionBefore(9501), 30);
});

test("a snapshot has the newest state of each object once, and nothing that is removed", async (t) => {
  const store = await openStore(t);
  const object = { modified: LATE };
  await store.append([
    ...indicators(4),
    indicator(1, { object }),
    indicator(2, { object: { ...object, x_threatbus_update: "REMOVE" } }),
    indicator(3, { object: { modified: EARLY, revoked: true } }),
    sighting(9),
    sighting(9),
    indicator(5, { object: { valid_until: "2026-05-01T00:00:00Z" } }),
  ]);
  const snapshot = store.snapshot({ type: "indicator" });
  const { value: part } = await snapshot.next();
  // What comes later has no influence.
  await store.append([indicator(4, { object: { modified: "2027-01-01T00:00:00.000Z" } })]);
  const rest = await collect(snapshot);
  assert.deepEqual(positions([...(part ?? []), ...rest]), [3, 4, 5, 10]);
  assert.deepEqual(positions(await collect(store.snapshot({ type: "sighting" }))), [9]);
  const valid = await collect(store.snapshot({ type: "indicator", validAt: Date.parse(LATE) }));
  assert.deepEqual(positions(valid), [3, 5, 11]);
});

test("what has expired comes in the order of its end, in parts, without what was replaced or removed", async (t) => {
  const store = await openStore(t);
  const until = (day: number, others = {}): { object: object } => ({
    object: { valid_until: `2026-05-0${day}T00:00:00Z`, ...others },
  });
  await store.append([
    indicator(1, until(3)),
    indicator(2, until(2)),
    indicator(3, until(2)),
    indicator(4, until(2)),
    indicator(5, until(9)),
    indicator(3, until(9, { modified: LATE })),
    indicator(4, until(2, { modified: LATE, revoked: true })),
  ]);
  const span = { after: Date.parse("2026-05-01T00:00:00Z"), until: Date.parse("2026-05-03T00:00:00Z"), limit: 1 };
  const [first] = await store.expired(span);
  assert.equal(first?.position, 2);
  const [second] = await store.expired({ ...span, ...(first === undefined ? {} : { behind: first }) });
  assert.equal(second?.position, 1);
  assert.deepEqual(await store.expired({ ...span, ...(second === undefined ? {} : { behind: second }) }), []);
  assert.deepEqual(await store.expired({ ...span, after: span.until }), []);
});

test("what has expired is found behind thousands that were replaced", async (t) => {
  const store = await openStore(t);
  const ends = { object: { valid_until: "2026-05-02T00:00:00Z" } };
  await store.append([...indicators(2500, 1, ends), ...indicators(2500, 1, { object: { modified: LATE } })]);
  const span = { after: 0, until: Date.parse("2026-05-03T00:00:00Z") };
  assert.deepEqual(await store.expired(span), []);
  const { last } = await store.append([indicator(9999, ends)]);
  assert.deepEqual(positions(await store.expired(span)), [last]);
});

test("reading goes on where it ended, by type, in bounded parts", async (t) => {
  const store = await openStore(t);
  await store.append(Array.from({ length: 30 }, (_, index) => (index % 3 === 0 ? sighting(index) : indicator(index))));
  const first = await store.read({ limit: 4, type: "sighting" });
  assert.deepEqual(positions(first.records), [1, 4, 7, 10]);
  const second = await store.read({ after: first.last, type: "sighting" });
  assert.deepEqual(positions(second.records), [13, 16, 19, 22, 25, 28]);
  assert.equal(second.end, true);
  assert.deepEqual((await store.read({ after: second.last })).records, []);
  await store.append([indicator(1, { bytes: Buffer.alloc(600_000) }), indicator(2, { bytes: Buffer.alloc(600_000) })]);
  const large = await store.read({ after: second.last });
  assert.deepEqual([positions(large.records), large.end], [[31], false]);
});

test("a tail gives what is there and then what comes, until it is told to stop", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(3));
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const records of store.tail({ after: 1 }, stop.signal)) {
    seen.push(...positions(records));
    if (seen.length === 2) await store.append(indicators(2, 4));
    else stop.abort();
  }
  assert.deepEqual(seen, [2, 3, 4, 5]);
  const last = store.tail({ after: 5 }, AbortSignal.timeout(60_000)).next();
  await store.close();
  // Closed while it waits: it ends, or says that the log is closed.
  const end = await last.catch((error: { code: string }) => error.code);
  assert.ok(end === "TB_STORE_CLOSED" || (typeof end === "object" && end.done));
});
