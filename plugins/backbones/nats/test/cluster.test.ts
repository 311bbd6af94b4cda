import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Message } from "@threatbus/core";
import { createMessageFactory } from "@threatbus/core";
import { eventually, numberedIndicator } from "@threatbus/testkit";
import type { NatsService } from "../../../../scripts/services/nats.ts";
import { clusterForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { type Running, start } from "./instance.ts";
import { other } from "./server.ts";

const skip = (await natsMissing()) ?? false;
const COUNT = 4_000;

function series(publisher: string): Message[] {
  const factory = createMessageFactory(publisher);
  return Array.from({ length: COUNT }, (_, index) => factory.stix(numberedIndicator(index)));
}

/** The server that leads the stream (or a consumer of it), as the others see it. */
async function leaderOf(t: TestContext, servers: readonly NatsService[], consumer?: string): Promise<NatsService> {
  const { jsm } = await other(t, { servers: servers.map(({ url }) => url) });
  let leader: NatsService | undefined;
  await eventually("a leader", async () => {
    const { cluster } =
      consumer === undefined ? await jsm.streams.info("THREATBUS") : await jsm.consumers.info("THREATBUS", consumer);
    leader = servers.find(({ name }) => name === cluster?.leader);
    return leader !== undefined;
  });
  return leader ?? assert.fail("no leader");
}

async function twoInstances(t: TestContext, servers: readonly NatsService[]): Promise<readonly [Running, Running]> {
  const settings = { servers: servers.map(({ url }) => url), replicas: 3 };
  return [await start(t, { ...settings, instance: "first" }), await start(t, { ...settings, instance: "second" })];
}

test("the leader of the stream is killed while messages flow: nothing is lost, none comes twice", {
  skip,
}, async (t) => {
  const servers = await clusterForTest(t);
  const instances = await twoInstances(t, servers);
  const [first, second] = instances;
  let killed: Promise<void> | undefined;
  const queues = [
    await first.record("stix2", (count) => {
      if (count === 1_000) killed = leaderOf(t, servers).then((leader) => leader.kill());
    }),
    await second.record("stix2"),
  ];
  const published = [series("a"), series("b")];
  await Promise.all(instances.map(({ inq }, index) => inq.putMany(published[index] ?? [])));
  await eventually("everything at both, across the election", () => {
    return killed !== undefined && queues.every(({ count }) => count >= 2 * COUNT);
  });
  await killed;
  const expected = new Set(published.flat().map(({ id }) => id));
  for (const queue of queues) {
    assert.equal(queue.count, expected.size, "none came twice");
    assert.deepEqual(new Set(queue.ids), expected);
  }
  await Promise.all(instances.map(({ inq }) => inq.join()));
  for (const { plugin } of instances) await eventually("a good state", () => plugin.state?.ok === true);
});

test("the leader of a consumer is killed while it reads", { skip }, async (t) => {
  const servers = await clusterForTest(t);
  const [first, second] = await twoInstances(t, servers);
  let killed: Promise<void> | undefined;
  const queue = await second.record("stix2", (count) => {
    if (count === 500) killed = leaderOf(t, servers, "second").then((leader) => leader.kill());
  });
  await first.record("threatbus");
  const messages = series("a");
  await first.inq.putMany(messages);
  await eventually("everything", () => killed !== undefined && queue.count >= COUNT);
  await killed;
  assert.equal(queue.count, COUNT, "none came twice");
  assert.deepEqual(new Set(queue.ids), new Set(messages.map(({ id }) => id)));
});

test("one server of three is away: the instance goes on over another", { skip }, async (t) => {
  const servers = await clusterForTest(t);
  const [first] = await twoInstances(t, servers);
  const queue = await first.record("stix2");
  const connected = servers.find(({ port }) => first.plugin.state?.text.includes(`:${port} `));
  assert.ok(connected);
  await connected.kill();
  const messages = series("a").slice(0, 200);
  await first.inq.putMany(messages);
  await eventually("everything", () => queue.count === messages.length);
  await eventually("a good state", () => first.plugin.state?.ok === true);
  assert.doesNotMatch(first.plugin.state?.text ?? "", new RegExp(`:${connected.port} `));
});
