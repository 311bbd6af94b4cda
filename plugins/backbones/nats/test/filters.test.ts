import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMessageFactory } from "@threatbus/core";
import { eventually, indicator, sighting } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { filtersOfConsumer, knowsSeveralFilters } from "../src/consumer.ts";
import { CURRENT, currentMissing } from "./current.ts";
import { start } from "./instance.ts";
import { other } from "./server.ts";

const skip = (await natsMissing()) ?? false;
const skipCurrent = (await currentMissing()) ?? false;

async function filters(t: TestContext, servers: string): Promise<readonly string[]> {
  const { jsm } = await other(t, { servers });
  return filtersOfConsumer(await jsm.consumers.info("THREATBUS", "first"));
}

test("a server that knows one filter per consumer sends everything; what nobody wants enters the log alone", {
  skip,
}, async (t) => {
  const { url } = await natsForTest(t);
  const { connection } = await other(t, { servers: url });
  if (knowsSeveralFilters(connection.info?.version ?? "")) return t.skip("Debian's server knows several here");
  const { inq, record, accepted } = await start(t, { servers: url });
  const queue = await record("stix2/sighting");
  assert.deepEqual(await filters(t, url), ["threatbus.>"]);
  const factory = createMessageFactory("a");
  const messages = [factory.stix(indicator()), factory.stix(sighting())];
  await inq.putMany(messages);
  await eventually("the sighting", () => queue.count === 1);
  assert.equal(queue.messages[0]?.type, "sighting");
  await eventually("both in the log", () => accepted.length === 2);
});

test("a current server sends what is subscribed; the filter grows, and stays for the next process", {
  skip: skipCurrent,
}, async (t) => {
  const { url } = await natsForTest(t, { program: CURRENT });
  const first = await start(t, { servers: url });
  await first.record("threatbus/snapshotrequest");
  assert.deepEqual(await filters(t, url), ["threatbus.threatbus.snapshotrequest"]);
  const sightings = await first.record("stix2/sighting");
  assert.deepEqual(await filters(t, url), ["threatbus.stix2.sighting", "threatbus.threatbus.snapshotrequest"]);

  const factory = createMessageFactory("a");
  await first.inq.putMany([factory.stix(indicator()), factory.stix(sighting()), factory.stix(sighting())]);
  await eventually("the sightings", () => sightings.count === 2);
  assert.deepEqual(first.accepted, sightings.ids, "no indicator came");
  await first.plugin.unsubscribe("stix2/sighting", sightings);
  await first.plugin.stop();

  const second = await start(t, { servers: url });
  await second.record("threatbus/snapshotenvelope");
  assert.equal((await filters(t, url)).length, 3, "the sightings are still wanted");
  const all = await second.record("");
  assert.deepEqual(await filters(t, url), ["threatbus.>"]);
  await second.inq.put(factory.stix(indicator()));
  await eventually("the indicator", () => all.count === 1);
});
