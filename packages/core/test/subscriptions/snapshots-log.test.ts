import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { OutqOptions } from "../../src/contracts/app-plugin.ts";
import type { LogRecord } from "../../src/contracts/log.ts";
import type { Message, SnapshotRequestMessage, StixMessage } from "../../src/contracts/message.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { loggedMessage } from "../../src/flow/logged-message.ts";
import { Outq } from "../../src/flow/outq.ts";
import { type HistoryTaker, Snapshots, type SnapshotsOptions } from "../../src/subscriptions/snapshots.ts";
import { MemoryLog } from "../memory-log.ts";
import { appPlugin, envelope, factory, indicator, SNAPSHOT_ID, settle, sighting } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const HOUR = 3_600_000;
const OLD = "2026-01-01T00:00:00.000Z";
const NEW = "2026-02-01T00:00:00.000Z";
const NEWEST = "2026-02-02T00:00:00.000Z";

interface Fixture {
  readonly timeout?: number;
  readonly capacity?: number;
  readonly log?: NonNullable<SnapshotsOptions["log"]>;
}

function fixture(t: TestContext, { timeout = 300_000, capacity = 10_000, log = new MemoryLog() }: Fixture = {}) {
  const inq = new JoinableQueue<Message>(capacity);
  const { logger, lines } = recordingLogger();
  const snapshots = new Snapshots({ inq, messages: factory, logger, timeout, log, now: () => NOW });
  t.after(() => snapshots.stop());
  return { inq, snapshots, lines };
}

function queueOf(options: Partial<OutqOptions> = {}) {
  const histories: AsyncIterable<readonly StixMessage[]>[] = [];
  const addHistory: HistoryTaker["addHistory"] = (parts) => histories.push(parts);
  return { histories, queue: Object.assign(new Outq({ name: "q", ...options }), { addHistory }) };
}

function id(number: number): string {
  return `indicator--00000000-0000-4000-8000-${number.toString().padStart(12, "0")}`;
}

/** A message that came in so many milliseconds ago. */
function received(ago: number, message: StixMessage): StixMessage {
  return Object.assign(message, { receivedAt: NOW - ago });
}

function remoteRequest(snapshotId: string, snapshotType: "indicator" | "sighting" = "indicator", seconds = 3_600) {
  return factory.snapshotRequest({ type: "snapshotrequest", snapshotType, snapshotId, seconds });
}

async function collect(parts: AsyncIterable<readonly StixMessage[]> | undefined): Promise<StixMessage[]> {
  const messages: StixMessage[] = [];
  for await (const part of parts ?? []) messages.push(...part);
  return messages;
}

function textsOf(messages: readonly Message[]): string[] {
  return messages.map(({ bytes }) => bytes.toString());
}

test("the log answers a request of its own instance directly, with newest states that are valid, and once", async (t) => {
  const log = new MemoryLog();
  const { inq, snapshots } = fixture(t, { log });
  const { queue, histories } = queueOf();
  const newest = received(1_000, indicator({ id: id(1), modified: NEW }));
  await log.append([
    received(2 * HOUR, indicator({ id: id(9) })),
    received(3_000, indicator({ id: id(1), modified: OLD })),
    newest,
    received(1_000, indicator({ id: id(2), valid_until: "2026-02-28T00:00:00Z" })),
    received(1_000, indicator({ id: id(3), revoked: true })),
    received(1_000, sighting()),
  ]);
  const snapshotId = await snapshots.request(["stix2"], 3_600, queue);
  const history = await collect(histories[0]);
  assert.deepEqual(textsOf(history), textsOf([newest, sighting()]));
  assert.deepEqual(
    history.map((message) => [message.id, message.position, message.source]),
    [3, 6].map((position) => [log.records[position - 1]?.messageId, undefined, "test"]),
  );
  // Everybody else is asked too, and so are the plugins here; but the log has answered.
  const requests = inq.takeNow(10) as SnapshotRequestMessage[];
  const asked: string[] = [];
  const plugin = appPlugin({ snapshot: async ({ request }) => void asked.push(request.snapshotType) });
  await snapshots.handle(requests, [["app", plugin]]);
  await settle();
  assert.deepEqual([asked, inq.size, histories.length], [["indicator", "sighting"], 0, 1]);
  assert.equal(requests[0]?.request.snapshotId, snapshotId);
});

test("only the types and what passes the filter of the subscription are taken from the log", async (t) => {
  const log = new MemoryLog();
  const { snapshots } = fixture(t, { log });
  const certain = received(1_000, indicator({ id: id(1), confidence: 90 }));
  await log.append([certain, received(1_000, indicator({ id: id(2) })), received(1_000, sighting())]);
  const filtered = queueOf({ filter: { min_confidence: 50 } });
  const sightings = queueOf();
  await snapshots.request(["stix2/indicator"], 60, filtered.queue);
  await snapshots.request(["stix2/s"], 60, sightings.queue);
  assert.deepEqual(textsOf(await collect(filtered.histories[0])), textsOf([certain]));
  assert.deepEqual(textsOf(await collect(sightings.histories[0])), textsOf([sighting()]));
  const none = queueOf();
  await snapshots.request(["stix2"], 0, none.queue);
  assert.deepEqual(none.histories, []);
});

test("a snapshot does not end while its reader has not got all that the log has, and the time-out begins then", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const pass = (milliseconds: number): void => {
    now += milliseconds;
    t.mock.timers.tick(milliseconds);
  };
  const log = new MemoryLog();
  await log.append([received(1_000, sighting())]);
  const { snapshots } = fixture(t, { log, timeout: 1_000 });
  const { queue, histories } = queueOf();
  await snapshots.request(["stix2"], 60, queue);
  pass(1_000);
  pass(1_000);
  assert.equal(snapshots.size, 1);
  assert.equal((await collect(histories[0])).length, 1);
  pass(1_000);
  assert.equal(snapshots.size, 0);
});

test("the history ends with its subscription, and with a log that fails, which is said", async (t) => {
  const log = new MemoryLog();
  const count = 1_200;
  await log.append(Array.from({ length: count }, (_, n) => received(1_000, indicator({ id: id(n) }))));
  const { snapshots, lines } = fixture(t, { log });
  const { queue, histories } = queueOf();
  await snapshots.request(["stix2"], 60, queue);
  let got = 0;
  for await (const part of histories[0] ?? []) {
    got += part.length;
    snapshots.cancel(queue);
  }
  assert.deepEqual([got, lines], [500, []]);
  await snapshots.request(["stix2"], 60, queue);
  log.failure = new Error("the disk is gone");
  assert.deepEqual(await collect(histories[1]), []);
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.error]),
    [["warn", "the disk is gone"]],
  );
});

test("a request of another instance is answered in envelopes, once for each type, however often it comes", async (t) => {
  const log = new MemoryLog();
  const { inq, snapshots } = fixture(t, { log });
  const messages = Array.from({ length: 450 }, (_, n) => received(1_000, indicator({ id: id(n) })));
  await log.append([received(2 * HOUR, indicator({ id: id(999) })), ...messages, received(1_000, sighting())]);
  const other = remoteRequest("other", "indicator", 0);
  await snapshots.handle([remoteRequest(SNAPSHOT_ID), remoteRequest(SNAPSHOT_ID), other], []);
  await snapshots.handle([remoteRequest(SNAPSHOT_ID), remoteRequest(SNAPSHOT_ID, "sighting")], []);
  while (inq.size < 451) await settle();
  await settle();
  const answers = inq.takeNow(1_000).map((answer) => {
    assert.ok(answer.type === "snapshotenvelope");
    return answer.envelope;
  });
  assert.equal(answers.length, 451);
  assert.deepEqual([...new Set(answers.map(({ snapshotId }) => snapshotId))], [SNAPSHOT_ID]);
  const indicators = answers.filter(({ snapshotType }) => snapshotType === "indicator");
  assert.deepEqual(
    indicators.map(({ body }) => body.bytes.toString()),
    textsOf(messages),
  );
});

/** A log with endless snapshots, which knows how many are read and how far. */
function endlessLog(record: LogRecord) {
  const reading = { now: 0, most: 0, parts: 0 };
  async function* snapshot() {
    reading.now += 1;
    reading.most = Math.max(reading.most, reading.now);
    try {
      for (;;) {
        reading.parts += 1;
        yield Array<LogRecord>(500).fill(record);
      }
    } finally {
      reading.now -= 1;
    }
  }
  return { reading, log: { snapshot, states: async () => [], latest: async () => undefined } };
}

test("at most four requests are answered at a time, at the pace of the inq, until the bus stops", async (t) => {
  const memory = new MemoryLog();
  await memory.append([indicator()]);
  const [record] = memory.records;
  assert.ok(record !== undefined);
  const { log, reading } = endlessLog(record);
  const { inq, snapshots, lines } = fixture(t, { log, capacity: 100 });
  const requests = Array.from({ length: 10 }, (_, n) => remoteRequest(`snapshot ${n}`));
  await snapshots.handle(requests, []);
  for (let turn = 0; turn < 20; turn += 1) await settle();
  assert.deepEqual([reading.now, reading.parts, inq.size], [4, 4, 100]);
  while (reading.parts <= 4) {
    inq.takeNow(100);
    await settle();
  }
  snapshots.stop();
  inq.takeNow(100);
  while (reading.now > 0) await settle();
  assert.deepEqual([reading.most, lines], [4, []]);
});

test("requests beyond a thousand that wait are not answered, which is said", async (t) => {
  const memory = new MemoryLog();
  await memory.append([indicator()]);
  const [record] = memory.records;
  assert.ok(record !== undefined);
  const { log } = endlessLog(record);
  const { snapshots, lines } = fixture(t, { log, capacity: 1 });
  const requests = Array.from({ length: 1_005 }, (_, n) => remoteRequest(`snapshot ${n}`));
  await snapshots.handle(requests, []);
  assert.deepEqual(
    lines.map(({ fields }) => fields.snapshot),
    ["snapshot 1004"],
  );
});

interface Case {
  readonly name: string;
  /** What the log has, and when it came, in milliseconds before now. */
  readonly logged?: readonly [ago: number, members: object];
  readonly delivered: "answer" | "logged" | "nothing";
}

const VALID = { valid_until: "2027-01-01T00:00:00Z" };
const OVER = { valid_until: "2026-02-28T00:00:00Z" };

const CASES: readonly Case[] = [
  { name: "an object that the log does not know", delivered: "answer" },
  { name: "a newer state than any of the log", logged: [1_000, { modified: OLD }], delivered: "answer" },
  { name: "a newer state than one withdrawn", logged: [1_000, { modified: OLD, revoked: true }], delivered: "answer" },
  { name: "what the log has answered with", logged: [1_000, { modified: NEW }], delivered: "nothing" },
  { name: "an older state than the log answers with", logged: [1_000, { modified: NEWEST }], delivered: "nothing" },
  { name: "what came too long ago for the log's answer", logged: [2 * HOUR, { modified: NEW }], delivered: "answer" },
  {
    name: "an older state than one that came too long ago",
    logged: [2 * HOUR, { modified: NEWEST, ...VALID }],
    delivered: "logged",
  },
  {
    name: "what was withdrawn long ago",
    logged: [2 * HOUR, { modified: NEW, x_threatbus_update: "REMOVE" }],
    delivered: "nothing",
  },
  { name: "what was revoked later", logged: [2 * HOUR, { modified: NEWEST, revoked: true }], delivered: "nothing" },
  { name: "what is over in its newest state", logged: [2 * HOUR, { modified: NEWEST, ...OVER }], delivered: "nothing" },
];

for (const { name, logged, delivered } of CASES) {
  test(`an answer from elsewhere: ${name}: ${delivered}`, async (t) => {
    const log = new MemoryLog();
    const inLog = received(logged?.[0] ?? 0, indicator({ id: id(1), ...logged?.[1] }));
    if (logged !== undefined) await log.append([inLog]);
    const { snapshots } = fixture(t, { log });
    const { queue } = queueOf();
    const snapshotId = await snapshots.request(["stix2"], 3_600, queue);
    const answer = indicator({ id: id(1), modified: NEW });
    await snapshots.handle([envelope(answer.stix, snapshotId), envelope(answer.stix, snapshotId)], []);
    const expected = { answer: [answer], logged: [inLog], nothing: [] }[delivered];
    const got = queue.size === 0 ? [] : await queue.getMany(10);
    assert.deepEqual(textsOf(got), textsOf(expected));
    for (const message of got) assert.ok("position" in message && message.position === undefined);
  });
}

test("answers keep their order, the log is asked once for many, and one that cannot answer keeps none back", async (t) => {
  const log = new MemoryLog();
  const { snapshots } = fixture(t, { log });
  const { queue } = queueOf();
  const snapshotId = await snapshots.request(["stix2"], 3_600, queue);
  const bodies = Array.from({ length: 256 }, (_, n) => indicator({ id: id(n) }));
  const envelopes = bodies.map(({ stix }) => envelope(stix, snapshotId));
  log.calls.length = 0;
  await snapshots.handle(envelopes, []);
  assert.deepEqual(log.calls, ["states"]);
  assert.deepEqual(textsOf(await queue.getMany(1_000)), textsOf(bodies));
  log.failure = new Error("the disk is gone");
  await snapshots.handle([envelope(indicator({ id: id(500) }).stix, snapshotId)], []);
  assert.equal(queue.size, 1);
});

test("answers that come while a subscription ends, or for other instances, cost nothing and are nobody's", async (t) => {
  const log = new MemoryLog();
  const { snapshots } = fixture(t, { log });
  const { queue } = queueOf();
  const snapshotId = await snapshots.request(["stix2"], 3_600, queue);
  await snapshots.handle([envelope(indicator().stix, "of another instance")], []);
  assert.equal(log.calls.includes("states"), false);
  const handled = snapshots.handle([envelope(indicator().stix, snapshotId)], []);
  snapshots.cancel(queue);
  await handled;
  assert.equal(queue.size, 0);
});

test("a message of the log is what was published; what cannot be read is said when somebody looks into it", async () => {
  const log = new MemoryLog();
  await log.append([indicator({ x_big: 1 })]);
  const [record] = log.records;
  assert.ok(record !== undefined);
  const message = loggedMessage(record);
  assert.deepEqual([message.position, message.id, message.stix.object.x_big], [1, record.messageId, 1]);
  assert.equal(message.stix, message.stix);
  const damaged = loggedMessage({ ...record, bytes: Buffer.from("{") });
  assert.throws(() => damaged.stix, /of the durable log cannot be read/);
});
