/** The flow of the project's introduction, with a bus in a process of its own and a stand-in for Zeek. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeZeek, type FakeZeekOptions } from "@threatbus/app-zeek/fake-zeek";
import { eventually } from "@threatbus/testkit";
import { indicator } from "../interop/support/objects.ts";
import { type Bus, startBus, stopCleanly } from "./support/bus.ts";
import { app, nextText } from "./support/client.ts";

const APPS = { apps: { zeek: { port: 0 } } };

/** Where the bus waits for Zeek. */
function brokerAddress(bus: Bus): { readonly host: string; readonly port: number } {
  const line = bus.child.lines.find((text) => /\bready: /.test(text)) ?? "";
  return { host: "127.0.0.1", port: Number(/zeek broker \S*?:(\d+)/.exec(line)?.[1]) };
}

function fakeZeek(t: TestContext, bus: Bus, options: FakeZeekOptions = {}): FakeZeek {
  const zeek = new FakeZeek(options);
  t.after(() => zeek.close());
  zeek.connect(brokerAddress(bus));
  return zeek;
}

test("an indicator published over ZeroMQ reaches Zeek, and Zeek's sighting comes back to the publisher", async (t) => {
  const bus = await startBus(t, APPS);
  const platform = app(t, bus, "platform");
  const sightings = platform.subscribe("stix2/sighting");
  await sightings.ready();
  const zeek = fakeZeek(t, bus);
  await eventually("Zeek to be told of its subscription", () => zeek.p2pTopics.length === 1);

  const out = indicator("", { pattern: "[domain-name:value = 'Evil.Example']" });
  const { id } = JSON.parse(out) as { readonly id: string };
  await platform.publish(out);
  await eventually("the indicator", () => zeek.intel.size === 1);
  assert.deepEqual(zeek.received, [{ id, type: "DOMAIN", value: "evil.example", operation: "ADD" }]);

  assert.equal(zeek.seen("DOMAIN", "evil.example"), id);
  const sighting = JSON.parse(await nextText(sightings)) as Readonly<Record<string, unknown>>;
  assert.equal(sighting.type, "sighting");
  assert.equal(sighting.sighting_of_ref, id);
  assert.equal(sighting.x_threatbus_source, `zeek:${zeek.endpoint.id}`);
  assert.deepEqual(sighting.x_threatbus_sighting_context, { noisy: false });

  await platform.publish(JSON.stringify({ ...JSON.parse(out), x_threatbus_update: "REMOVE" }));
  await eventually("the removal", () => zeek.intel.size === 0);
  await stopCleanly(bus);
});

test("a snapshot that a ZeroMQ app answers reaches the Zeek that asked", async (t) => {
  const bus = await startBus(t, APPS);
  const platform = app(t, bus, "platform");
  const known = Array.from({ length: 1_000 }, (_, number) => indicator(`10.0.${number >> 8}.${number & 255}`));
  platform.onSnapshotRequest(({ type, seconds }) => (type === "indicator" && seconds === 86_400 ? known : []));
  await platform.subscribe("stix2/sighting").ready();
  const without = fakeZeek(t, bus);
  const asking = fakeZeek(t, bus, { snapshot: 86_400 });
  await eventually("both Zeeks to be told", () => without.p2pTopics.length + asking.p2pTopics.length === 2);
  await eventually("the snapshot", () => asking.received.length === known.length);
  const marker = indicator("192.0.2.1");
  await platform.publish(marker);
  await eventually("the marker", () => without.received.length === 1);
  assert.equal(without.received[0]?.value, "192.0.2.1");
  await stopCleanly(bus);
});

test("a Zeek whose bus is started again subscribes again, once", async (t) => {
  const bus = await startBus(t, APPS);
  const zeek = fakeZeek(t, bus);
  await eventually("Zeek to be told of its subscription", () => zeek.p2pTopics.length === 1);
  const [old] = zeek.p2pTopics;
  await stopCleanly(bus);
  const again = await startBus(t, { apps: { zeek: { port: brokerAddress(bus).port } } });
  await eventually("a new subscription", () => zeek.p2pTopics.length === 1 && zeek.p2pTopics[0] !== old);
  await app(t, again, "platform").publish(indicator("192.0.2.1"));
  await eventually("the indicator", () => zeek.received.length === 1);
  await stopCleanly(again);
  assert.equal(zeek.received.length, 1);
});

test("a bus that is stopped hands over to Zeek what it has taken in", async (t) => {
  const bus = await startBus(t, APPS);
  const zeek = fakeZeek(t, bus);
  const platform = app(t, bus, "platform");
  await eventually("Zeek to be told of its subscription", () => zeek.p2pTopics.length === 1);
  const all = Array.from({ length: 5_000 }, (_, number) => indicator(`10.0.${number >> 8}.${number & 255}`));
  await platform.publish(all);
  await eventually("the first of them", () => zeek.received.length > 0);
  zeek.bus?.pause();
  const stopping = stopCleanly(bus);
  zeek.bus?.resume();
  await stopping;
  const last = zeek.received.length;
  assert.deepEqual(
    zeek.received.map(({ value }) => value),
    all.slice(0, last).map((_, number) => `10.0.${number >> 8}.${number & 255}`),
  );
  const line = bus.child.lines.find((text) => text.includes("undelivered")) ?? '{"undelivered":0}';
  assert.equal((JSON.parse(line) as { readonly undelivered?: number }).undelivered ?? 0, 0, line);
});
