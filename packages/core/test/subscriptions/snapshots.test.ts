import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AppPlugin, OutqOptions } from "../../src/contracts/app-plugin.ts";
import type { Message, SnapshotRequestMessage } from "../../src/contracts/message.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { Outq } from "../../src/flow/outq.ts";
import { coveredTypes, type HistoryTaker, Snapshots } from "../../src/subscriptions/snapshots.ts";
import { appPlugin, envelope, factory, indicator, namedMessage, request, settle, sighting } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";
import { vectors } from "../vectors.ts";

function fixture(t: TestContext, timeout = 300_000) {
  const inq = new JoinableQueue<Message>();
  const { logger, lines } = recordingLogger();
  const snapshots = new Snapshots({ inq, messages: factory, logger, timeout, log: undefined });
  t.after(() => snapshots.stop());
  return { inq, snapshots, lines, queue: queueOf() };
}

function queueOf(options: Partial<OutqOptions> = {}): Outq & HistoryTaker {
  const addHistory = () => assert.fail("there is no log");
  return Object.assign(new Outq({ name: "q", ...options }), { addHistory });
}

/** A plugin that keeps the requests it gets. */
function recordingPlugin(): { readonly plugin: AppPlugin; readonly requests: SnapshotRequestMessage[] } {
  const requests: SnapshotRequestMessage[] = [];
  const snapshot = async (message: SnapshotRequestMessage) => {
    requests.push(message);
  };
  return { plugin: appPlugin({ snapshot }), requests };
}

async function openSnapshot(snapshots: Snapshots, queue: HistoryTaker): Promise<string> {
  const id = await snapshots.request(["stix2"], 60, queue);
  assert.ok(id !== undefined);
  return id;
}

test("covered types: what the topics' prefixes reach, each type once", () => {
  assert.deepEqual(coveredTypes(["stix2/indicator", "stix2", ""]), ["indicator", "sighting"]);
  assert.deepEqual(coveredTypes(["stix2/s"]), ["sighting"]);
  assert.deepEqual(coveredTypes(["threatbus", "indicator"]), []);
  assert.deepEqual(coveredTypes([]), []);
});

for (const { name, input, expected, better } of vectors("snapshot-requests")) {
  test(`snapshot-requests: ${name}`, async (t) => {
    const { inq, snapshots, queue } = fixture(t);
    const id = await snapshots.request([input.topic], input.snapshot_seconds ?? 0, queue);
    const wanted = better ?? expected;
    const requests = inq.takeNow(10).map((message) => {
      assert.ok(message.type === "snapshotrequest");
      assert.equal(message.request.snapshotId, id);
      const { snapshotType, seconds } = message.request;
      return { snapshot_type: snapshotType.toUpperCase(), snapshot_seconds: seconds };
    });
    assert.deepEqual(requests, wanted.requests);
    // For topics that cover nothing the vectors contradict themselves: the reference hands out an id that nothing will
    // ever answer, while the corrected ones have none. So the id counts only where something is asked, or corrected.
    if (wanted.requests.length > 0 || better !== undefined) assert.equal(id !== undefined, wanted.snapshot_id_returned);
  });
}

for (const { name, input, expected } of vectors("snapshot-handling")) {
  test(`snapshot-handling: ${name}`, async (t) => {
    const { snapshots, queue } = fixture(t);
    const { plugin, requests } = recordingPlugin();
    // Ids are made here, so an answer to a known snapshot carries the id that was made.
    const id = await openSnapshot(snapshots, queue);
    const known = !input.known_snapshot_ids.includes("other") && input.known_snapshot_ids.length > 0;
    for (const text of input.messages) {
      const message = namedMessage(text);
      if (message === undefined) continue;
      const isKnown = known && message.type === "snapshotenvelope";
      await snapshots.handle([isKnown ? envelope(message.envelope.body, id) : message], [["app", plugin]]);
    }
    const answered = (await takeAll(queue)).map(({ type }) =>
      type === "indicator" ? "v21.Indicator" : "v21.Sighting",
    );
    assert.deepEqual(answered, expected.to_requester);
    assert.deepEqual(
      requests.map((message) => message.request.snapshotType.toUpperCase()),
      expected.to_apps,
    );
  });
}

async function takeAll(queue: Outq): Promise<Message[]> {
  return queue.size === 0 ? [] : await queue.getMany(queue.size);
}

test("no history is asked for with 0, a negative or no number of seconds", async (t) => {
  const { inq, snapshots, queue } = fixture(t);
  for (const seconds of [0, -5, Number.NaN])
    assert.equal(await snapshots.request(["stix2"], seconds, queue), undefined);
  assert.deepEqual([inq.size, snapshots.size], [0, 0]);
});

test("a version of an object is answered once, and not after a newer one; answers pass the subscription's filter", async (t) => {
  const { snapshots } = fixture(t);
  const queue = queueOf({ filter: { min_confidence: 50 } });
  const id = await openSnapshot(snapshots, queue);
  const certain = indicator({ confidence: 80 });
  const newer = indicator({ confidence: 80, modified: "2021-03-06T05:06:07.891Z" });
  const uncertain = indicator({ id: `indicator--${id}`, confidence: 1 });
  const bodies = [certain, certain, newer, certain, sighting(), uncertain];
  await snapshots.handle(
    bodies.map(({ stix }) => envelope(stix, id)),
    [],
  );
  const answers = await takeAll(queue);
  assert.deepEqual(
    answers.map((message) => message.bytes.toString()),
    [certain, newer, sighting()].map((message) => message.bytes.toString()),
  );
});

test("a snapshot ends after the time-out without an answer; an answer prolongs it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { snapshots, queue } = fixture(t, 1_000);
  const id = await openSnapshot(snapshots, queue);
  now = 600;
  t.mock.timers.tick(600);
  await snapshots.handle([envelope(indicator().stix, id)], []);
  now = 1_000;
  t.mock.timers.tick(400);
  assert.equal(snapshots.size, 1);
  now = 1_600;
  t.mock.timers.tick(600);
  assert.equal(snapshots.size, 0);
  await snapshots.handle([envelope(sighting().stix, id)], []);
  assert.equal(queue.size, 1, "an answer after the end is nobody's");
});

test("the end of a subscription ends its snapshots and no others; stop ends all", async (t) => {
  const { snapshots, queue } = fixture(t);
  const other = queueOf();
  const id = await openSnapshot(snapshots, queue);
  const kept = await openSnapshot(snapshots, other);
  snapshots.cancel(queue);
  await snapshots.handle([envelope(indicator().stix, id)], []);
  await snapshots.handle([envelope(indicator().stix, kept)], []);
  assert.deepEqual([snapshots.size, queue.size, other.size], [1, 0, 1]);
  snapshots.stop();
  assert.equal(snapshots.size, 0);
});

test("answers of plugins go into the inq, and a plugin that fails in any way is only logged", async (t) => {
  const { inq, snapshots, lines } = fixture(t);
  const throwing = appPlugin({
    snapshot: () => {
      throw new Error("at once");
    },
  });
  const rejecting = appPlugin({
    snapshot: async () => {
      throw new Error("later");
    },
  });
  const answering = appPlugin({
    snapshot: async ({ request: { snapshotId } }, results) => {
      const { envelope: answer } = envelope(indicator().stix, snapshotId);
      await results.put(answer);
      await results.putMany([answer]);
    },
  });
  await snapshots.handle(
    [request("indicator")],
    [
      ["throwing", throwing],
      ["rejecting", rejecting],
      ["silent", appPlugin()],
      ["answering", answering],
    ],
  );
  await settle();
  assert.deepEqual(
    inq.takeNow(10).map(({ type }) => type),
    ["snapshotenvelope", "snapshotenvelope"],
  );
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.plugin, fields.error]),
    [
      ["warn", "throwing", "at once"],
      ["warn", "rejecting", "later"],
    ],
  );
});

test("answers that are withdrawn or no longer valid are left out, and what is older than those too", async (t) => {
  const { snapshots, queue } = fixture(t);
  const id = await openSnapshot(snapshots, queue);
  const named = (digit: string, members: object) =>
    indicator({ id: `indicator--46b3f973-5c03-41fc-9efe-49598a267a3${digit}`, ...members });
  const valid = named("4", { valid_until: "2999-01-01T00:00:00Z" });
  const bodies = [
    named("1", { revoked: true }),
    named("2", { x_threatbus_update: "REMOVE" }),
    named("3", { valid_until: "2021-04-01T00:00:00Z" }),
    named("3", { modified: "2021-03-04T05:06:07.891Z" }),
    valid,
    sighting({ revoked: true }),
  ];
  await snapshots.handle(
    bodies.map(({ stix }) => envelope(stix, id)),
    [],
  );
  assert.deepEqual(
    (await takeAll(queue)).map(({ bytes }) => bytes.toString()),
    [valid, sighting({ revoked: true })].map(({ bytes }) => bytes.toString()),
  );
});
