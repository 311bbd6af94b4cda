/** What several instances on one broker promise, whichever it is. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { eventually } from "../../interop/support/wait.ts";
import { app, take } from "./client.ts";
import {
  type Missing,
  publishers,
  type Site,
  siteTest,
  startInstances,
  stopAll,
  subscriber,
  untilArrived,
} from "./cluster.ts";
import { indicator } from "./flow.ts";

/** Messages of each publisher at a time. */
const COUNT = 500;

export function clusterTests(site: Site | Missing): void {
  const { name } = site;
  siteTest(site, `${name}, two instances, then three: each subscriber gets each message once, in order`, joining);
  siteTest(
    site,
    `${name}: a snapshot asked for at one instance is answered by an app and the log of another`,
    snapshot,
  );
}

async function joining(t: TestContext, site: Site): Promise<void> {
  const instances = await startInstances(t, ["one", "two"], (name) => site.backbones(name));
  const collectors = await Promise.all(instances.flatMap((each) => [subscriber(t, each), subscriber(t, each)]));
  const flows = publishers(t, instances);
  await Promise.all(flows.map((flow) => flow.publish(COUNT)));
  await untilArrived(collectors, flows);

  const [third] = await startInstances(t, ["three"], (name) => site.backbones(name));
  assert.ok(third);
  const late = await subscriber(t, third);
  const [another] = publishers(t, [third], flows.length + 1);
  assert.ok(another);
  await Promise.all([...flows, another].map((flow) => flow.publish(COUNT)));
  await untilArrived([...collectors, late], [...flows, another]);
  await stopAll([...instances, third]);
  for (const flow of flows) {
    for (const { numbers } of collectors) flow.assertOnce(numbers, "a subscriber of the first two");
    // It has got what came since its instance was there.
    assert.deepEqual(flow.of(late.numbers), flow.of(collectors[0]?.numbers ?? []).slice(COUNT));
  }
  for (const { numbers } of [...collectors, late]) another.assertOnce(numbers, "a subscriber");
}

async function snapshot(t: TestContext, site: Site): Promise<void> {
  const [here, there] = await startInstances(t, ["here", "there"], (name) => site.backbones(name));
  assert.ok(here && there);
  const [flow] = publishers(t, [there]);
  assert.ok(flow);
  const before = [await subscriber(t, here), await subscriber(t, there)];
  await flow.publish(30);
  await untilArrived(before, [flow]);
  // Of what the app knows, a part is in both logs, too.
  const known = Array.from({ length: 50 }, (_, index) => indicator(flow.first + 20 + index));
  const asked: string[] = [];
  const platform = app(t, there.bus, "platform");
  // First: with two subscriptions for a moment it would see each request twice.
  await platform.subscribe("stix2/sighting").ready();
  platform.onSnapshotRequest(({ type }) => {
    asked.push(type);
    return type === "indicator" ? known : [];
  });

  const sensor = app(t, here.bus, "sensor").subscribe("stix2", { snapshot: "30d" });
  const messages = sensor[Symbol.asyncIterator]();
  const got = (await take(messages, 70)).map(({ object }) => Number((object as { x_order?: unknown }).x_order));
  await eventually("both requests to be asked", () => (asked.length >= 2 ? true : undefined));
  // What comes once more would be before this.
  await flow.publish(1);
  got.push(...(await take(messages, 1)).map(({ object }) => Number((object as { x_order?: unknown }).x_order)));
  assert.deepEqual(asked.toSorted(), ["indicator", "sighting"]);
  assert.equal(got.at(-1), flow.confirmed);
  assert.deepEqual(
    got.slice(0, 70).toSorted((a, b) => a - b),
    Array.from({ length: 70 }, (_, index) => flow.first + index),
  );
  await sensor.close();
  await platform.close();
  await stopAll([here, there]);
}
