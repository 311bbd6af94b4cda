import assert from "node:assert/strict";
import { test } from "node:test";
import { Listener, Manager, publisher } from "./clients.ts";
import { startPlugin } from "./harness.ts";
import { envelopeJson, indicatorJson, requestMessage, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

/** The types of the frames that an app got, from what follows its p2p topic. */
const types = (app: Listener) => app.received.map((frame) => frame.slice(32, frame.indexOf(" ")));

test("a snapshot request goes to every app but the one that asked, and to none twice", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const join = async (topic: unknown, extra: object = {}) =>
    new Listener(t, harness, (await manager.subscribe(topic, extra)).topic);
  const asker = await join("stix2/indicator", { snapshot: 1 });
  const platform = await join("stix2");
  const covering = await join(["threatbus/snapshotrequest", "stix2"]);
  const everything = await join([""], { snapshot: 1 });
  const apps = [asker, platform, covering, everything];
  // The stand-in for the bus numbers its snapshots in the order of the subscriptions that ask for one.
  const [first, second] = harness.snapshotIds;
  assert.ok(first !== undefined && second !== undefined);
  for (const request of [requestMessage(first), requestMessage(second)]) {
    await harness.plugin.snapshot(request);
    harness.deliver(request);
  }
  harness.deliver(stixMessage(indicatorJson()));
  await until("the last message at all apps", () => apps.every((app) => types(app).includes("indicator")));
  assert.deepEqual(types(asker), ["snapshotrequest", "indicator"], "only the request of the other");
  assert.deepEqual(types(platform), ["snapshotrequest", "snapshotrequest", "indicator"]);
  assert.deepEqual(types(covering), ["snapshotrequest", "snapshotrequest", "indicator"]);
  assert.deepEqual(types(everything), ["snapshotrequest", "indicator"], "only the request of the other");
  assert.ok(asker.received[0]?.includes(second));
  assert.ok(everything.received[0]?.includes(first));
});

test("an app answers with envelopes, which go to the bus", async (t) => {
  const harness = await startPlugin(t);
  const publish = await publisher(t, harness);
  const json = envelopeJson("b5ad8b52-6b8e-4d4e-9f2a-0a9c9f0f6c11");
  publish(`threatbus/snapshotenvelope ${json}`);
  await until("the envelope", () => harness.received.length === 1);
  const [message] = harness.received;
  assert.ok(message?.type === "snapshotenvelope");
  assert.equal(message.envelope.snapshotId, "b5ad8b52-6b8e-4d4e-9f2a-0a9c9f0f6c11");
  assert.equal(message.envelope.body.type, "indicator");
});
