/** `@threatbus/client` with the Python Threat Bus that its README promises to work with. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Client, connect } from "@threatbus/client";
import { indicator, sighting } from "./support/objects.ts";
import { startOriginal } from "./support/original.ts";
import { pythonPrograms } from "./support/python.ts";
import { sendUntil } from "./support/wait.ts";

function app(t: TestContext, endpoint: string, name: string): Client {
  const client = connect({ endpoint, name, timeouts: { heartbeat: 500, close: 1_000 } });
  t.after(() => client.close());
  return client;
}

test("the client library publishes to the Python Threat Bus, receives from it, and answers its snapshots", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const endpoint = await startOriginal(t, programs);
  const platform = app(t, endpoint, "platform");
  const known = indicator("198.51.100.60", { name: "known for long" });
  platform.onSnapshotRequest(({ type }) => (type === "indicator" ? [known] : []));
  const sightings = platform.subscribe("stix2/sighting");
  const sensor = app(t, endpoint, "sensor");
  const indicators = sensor.subscribe(["stix2/indicator"]);
  await Promise.all([sightings.ready(), indicators.ready()]);

  // This server loses what it sends before the socket of the app is in place: each is sent until it has come.
  const fresh = indicator("198.51.100.61");
  const received = indicators[Symbol.asyncIterator]().next();
  const { value } = await sendUntil(received, async () => void (await platform.publish(fresh)));
  assert.deepEqual(value?.object, JSON.parse(fresh));

  const seen = sighting(JSON.parse(fresh).id);
  const back = await sendUntil(sightings[Symbol.asyncIterator]().next(), async () => void (await sensor.publish(seen)));
  assert.deepEqual(back.value?.object, JSON.parse(seen));

  // The answer may come before the socket is in place, so that each request may need another.
  const answered = Promise.withResolvers<unknown>();
  const ask = async () => {
    const asker = app(t, endpoint, "asker").subscribe("stix2/indicator", { snapshot: "5d" });
    void asker[Symbol.asyncIterator]()
      .next()
      .then(({ value }) => answered.resolve(value?.object));
    await asker.ready();
  };
  assert.deepEqual(await sendUntil(answered.promise, ask), JSON.parse(known));
});
