import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually } from "../waiting.ts";
import { series } from "./flow.ts";
import { type InstanceOptions, startInstance } from "./instance.ts";
import { type BackboneTarget, type Broker, CAPABILITIES, type Capability, type Site } from "./target.ts";

const TESTS: Readonly<Record<Capability, <Config>(t: TestContext, target: BackboneTarget<Config>) => Promise<void>>> = {
  "start while the broker is down": startWhileDown,
  "survive a restart of the broker": restartInFlow,
  "several instances": twoInstances,
};

/** What a backbone with a broker must do; one without says so for each capability. */
export function brokerTests<Config>(target: BackboneTarget<Config>): void {
  const lacks = target.lacks ?? {};
  for (const capability of CAPABILITIES) {
    if (lacks[capability] === undefined) test(capability, (t) => TESTS[capability](t, target));
  }
  if (lacks["several instances"] === undefined)
    test("what the bus has accepted before is not delivered", (t) => deliverAccepted(t, target));
  test("capabilities that do not apply are named with a reason", (t) => {
    for (const [capability, reason] of Object.entries(lacks)) {
      assert.notEqual(reason.trim(), "", capability);
      t.diagnostic(`does not apply: ${capability}: ${reason}`);
    }
  });
}

async function deliverAccepted<Config>(t: TestContext, target: BackboneTarget<Config>): Promise<void> {
  const messages = series("a", 600);
  const fresh = messages.filter((_, index) => index >= 300 && index % 3 === 0).map(({ id }) => id);
  const accept: InstanceOptions["accept"] = async (brought) => brought.filter(({ id }) => fresh.includes(id));
  const { inq, record } = await startInstance(t, target, await target.site(t), { accept });
  const queue = await record(["stix2"]);
  await inq.putMany(messages);
  await eventually("the last of those that are new", () => queue.ids.at(-1) === fresh.at(-1));
  assert.deepEqual(queue.ids, fresh);
}

function brokerOf(site: Site): Broker {
  return site.broker ?? assert.fail("the site of a backbone with this capability has a broker");
}

async function startWhileDown<Config>(t: TestContext, target: BackboneTarget<Config>): Promise<void> {
  const site = await target.site(t);
  const broker = brokerOf(site);
  await broker.kill();
  const { inq, record } = await startInstance(t, target, site);
  const queue = await record(["stix2"]);
  const messages = series("a", 100);
  await inq.putMany(messages);
  assert.equal(inq.unfinished, messages.length, "nothing is answered for before the broker has it");
  await broker.restart();
  await eventually("messages after the start of the broker", () => queue.count >= messages.length);
  assert.deepEqual(
    queue.ids,
    messages.map(({ id }) => id),
  );
  await inq.join();
}

async function restartInFlow<Config>(t: TestContext, target: BackboneTarget<Config>): Promise<void> {
  const site = await target.site(t);
  const broker = brokerOf(site);
  const { inq, record } = await startInstance(t, target, site);
  let restarted: Promise<void> | undefined;
  const queue = await record(["stix2"], (count) => {
    if (count === 1_000) restarted = broker.kill().then(() => broker.restart());
  });
  const messages = series("a", 5_000);
  await inq.putMany(messages);
  await eventually("all messages, across the restart", () => restarted !== undefined && queue.count >= messages.length);
  await restarted;
  assert.deepEqual(new Set(queue.ids), new Set(messages.map(({ id }) => id)));
  assert.equal(queue.count, messages.length, "none came twice");
  await inq.join();
}

async function twoInstances<Config>(t: TestContext, target: BackboneTarget<Config>): Promise<void> {
  const site = await target.site(t);
  const instances = [
    await startInstance(t, target, site, { name: "first" }),
    await startInstance(t, target, site, { name: "second" }),
  ];
  const queues = await Promise.all(instances.map(({ record }) => record(["stix2"])));
  const published = [series("a", 500), series("b", 500)];
  await Promise.all(instances.map(({ inq }, index) => inq.putMany(published[index] ?? [])));
  await eventually("all messages at both instances", () => queues.every(({ count }) => count >= 1_000));
  for (const queue of queues) {
    for (const messages of published) {
      const ids = messages.map(({ id }) => id);
      const own = new Set(ids);
      assert.deepEqual(
        queue.ids.filter((id) => own.has(id)),
        ids,
      );
    }
  }
}
