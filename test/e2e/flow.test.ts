/** What the bus is for, with a bus in a process of its own and apps on the client library. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { indicator, sighting } from "../interop/support/objects.ts";
import { startBus, stopCleanly } from "./support/bus.ts";
import { app, nextText } from "./support/client.ts";

test("an indicator goes out and its sighting comes back, byte for byte", async (t) => {
  const bus = await startBus(t);
  const platform = app(t, bus, "platform");
  const sensor = app(t, bus, "sensor");
  const sightings = platform.subscribe("stix2/sighting");
  const indicators = sensor.subscribe("stix2/indicator");
  await Promise.all([sightings.ready(), indicators.ready()]);

  const out = indicator("198.51.100.1", { x_custom: 12345678901234567890n.toString() });
  await platform.publish(out);
  assert.equal(await nextText(indicators), out);
  const back = sighting((JSON.parse(out) as { id: string }).id);
  await sensor.publish(back);
  assert.equal(await nextText(sightings), back);
  await stopCleanly(bus);
});

test("a snapshot that another app answers reaches only the app that asked", async (t) => {
  const bus = await startBus(t);
  const known = indicator("198.51.100.2");
  const platform = app(t, bus, "platform");
  platform.onSnapshotRequest(({ type }) => (type === "indicator" ? [known] : []));
  const other = app(t, bus, "other").subscribe("stix2/indicator");
  // What the platform publishes arrives: its snapshot subscription is in place, and so is its connection.
  await other.ready();
  const first = indicator("198.51.100.3");
  await platform.publish(first);
  assert.equal(await nextText(other), first);

  const asker = app(t, bus, "asker").subscribe("stix2/indicator", { snapshot: "30d" });
  // What the bus has had itself comes from its log, beside the answer of the platform.
  const history = [await nextText(asker), await nextText(asker)];
  assert.deepEqual(history.toSorted(), [first, known].toSorted());
  // An indicator published after the answer is the next thing that the other app gets.
  const marker = indicator("198.51.100.4");
  await platform.publish(marker);
  assert.equal(await nextText(other), marker);
  assert.equal(await nextText(asker), marker);
});

test("a content filter lets through what fits, and other subscribers get everything", async (t) => {
  const bus = await startBus(t);
  const client = app(t, bus, "filtering");
  const filtered = client.subscribe("stix2/indicator", { filter: { object_paths: ["domain-name:value"] } });
  const everything = client.subscribe("stix2/indicator");
  await Promise.all([filtered.ready(), everything.ready()]);
  const address = indicator("198.51.100.5");
  const domain = indicator("", { pattern: "[domain-name:value = 'example.org']" });
  await client.publish([address, domain]);
  assert.equal(await nextText(filtered), domain);
  assert.equal(await nextText(everything), address);
  assert.equal(await nextText(everything), domain);
});
