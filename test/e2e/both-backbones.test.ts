/** Two backbones at once: what comes over both is seen once, and a site moves from one broker to the other as the manual says. */
import assert from "node:assert/strict";
import { after, type TestContext } from "node:test";
import { rabbitmqForTests, rabbitmqMissing } from "../../scripts/services/for-tests.ts";
import { natsForTest, natsMissing } from "../../scripts/services/nats-for-tests.ts";
import { eventually } from "../interop/support/wait.ts";
import {
  type Instance,
  publishers,
  type Site,
  siteTest,
  startInstances,
  stopAll,
  subscriber,
  untilArrived,
} from "./support/cluster.ts";
import type { Collector } from "./support/collector.ts";
import type { Flow } from "./support/flow.ts";
import { natsSite, rabbitmqSite } from "./support/sites.ts";

const noRabbitmq = await rabbitmqMissing();
const noNats = await natsMissing();
const rabbitmqOf =
  noRabbitmq === undefined ? rabbitmqSite(await rabbitmqForTests()) : { name: "RabbitMQ", missing: noRabbitmq };
const nats = noNats === undefined ? natsSite([await natsForTest({ after })]) : { name: "NATS", missing: noNats };
const both = "missing" in rabbitmqOf ? rabbitmqOf : nats;

/** Waits until each publisher has had so many more accepted. */
async function more(flows: readonly Flow[], count = 100): Promise<void> {
  const goals = flows.map(({ confirmed }) => confirmed + count);
  await eventually("messages to be accepted", () =>
    flows.every(({ confirmed }, index) => confirmed >= (goals[index] ?? 0)) ? true : undefined,
  );
}

/** Two instances, each with a subscriber and a publisher. */
async function pair(t: TestContext, names: readonly [string, string], backbones: (name: string) => object) {
  const [first, second] = await startInstances(t, names, (name) => ({ ...backbones(name) }));
  assert.ok(first && second);
  const instances = [first, second] as const;
  const collectors = await Promise.all(instances.map((instance) => subscriber(t, instance)));
  const flows = publishers(t, instances);
  return { instances, collectors, flows };
}

async function end(instances: readonly Instance[], collectors: readonly Collector[], flows: readonly Flow[]) {
  await Promise.all(flows.map((flow) => flow.end()));
  await untilArrived(collectors, flows);
  await stopAll(instances);
}

function assertOnce(collectors: readonly Collector[], flows: readonly Flow[]): void {
  for (const { numbers } of collectors) for (const flow of flows) flow.assertOnce(numbers, "a subscriber");
}

/** Messages of each publisher at a time. */
const COUNT = 200;

/** Ends it, and brings it back, while messages flow. */
async function crash(site: Site, flows: readonly Flow[]): Promise<void> {
  const publish = () => Promise.all(flows.map((flow) => flow.publish(COUNT)));
  const [end] = Object.values(site.crashes);
  assert.ok(end);
  const restart = await end();
  await publish();
  await Promise.all([restart(), publish()]);
  await publish();
}

siteTest(
  both,
  "RabbitMQ and NATS at once: each subscriber gets each message once, also when one of them dies",
  async (t) => {
    const rabbitmq = rabbitmqOf as Site;
    const { instances, collectors, flows } = await pair(t, ["both-1", "both-2"], (name) => ({
      ...rabbitmq.backbones(name),
      ...(nats as Site).backbones(name),
    }));
    for (const site of [rabbitmq, nats as Site]) {
      await crash(site, flows);
      await untilArrived(collectors, flows);
    }
    await end(instances, collectors, flows);
    assertOnce(collectors, flows);
  },
);

siteTest(
  nats,
  "inmem and NATS at once: each subscriber gets each message once, also when NATS dies",
  async (t, site) => {
    const { instances, collectors, flows } = await pair(t, ["inside-1", "inside-2"], (name) => ({
      inmem: {},
      ...site.backbones(name),
    }));
    await crash(site, flows);
    await end(instances, collectors, flows);
    assertOnce(collectors, flows);
  },
);

siteTest(both, "a site moves from RabbitMQ to NATS, instance by instance, while messages flow", async (t) => {
  const [from, to] = [rabbitmqOf as Site, nats as Site];
  const { instances, collectors, flows } = await pair(t, ["moving-1", "moving-2"], (name) => from.backbones(name));
  for (const flow of flows) {
    flow.pause = 50;
    flow.begin();
  }
  await more(flows);
  const steps = [
    (name: string) => ({ ...from.backbones(name), ...to.backbones(name) }),
    (name: string) => to.backbones(name),
  ];
  for (const backbones of steps) {
    for (const instance of instances) {
      await instance.stop();
      await more(flows.filter((_, index) => instances[index] !== instance));
      await instance.start(backbones(instance.name));
      await more(flows);
    }
    // What is still in queues of the old broker would stay there.
    await untilArrived(collectors, flows);
  }
  await end(instances, collectors, flows);
  // What waited at the old broker for an instance that came back may be overtaken by what comes over the new one, and what
  // a publisher or a subscriber was told of last before a restart it may be told again.
  for (const { numbers } of collectors) for (const flow of flows) flow.assertArrived(numbers, "a subscriber");
});
