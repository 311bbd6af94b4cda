import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { JoinableQueue, type Message } from "@threatbus/core";
import { eventually } from "../waiting.ts";
import { series } from "./flow.ts";
import { startInstance } from "./instance.ts";
import type { BackboneTarget } from "./target.ts";

const COUNT = 10_000;

/** When `stop` is called: workers may be in the midst of a batch, or wait between two steps of one. */
const MOMENTS: Readonly<Record<string, (stop: () => void) => void>> = {
  "inside a delivery": (stop) => stop(),
  "after the microtasks of now": (stop) => queueMicrotask(stop),
  "in the next turn of the event loop": (stop) => setImmediate(stop),
  "in a timer": (stop) => setTimeout(stop, 1),
};

/** Stopping loses nothing that was taken from the inq. */
export function stoppingTests<Config>(target: BackboneTarget<Config>): void {
  for (const [moment, schedule] of Object.entries(MOMENTS)) {
    test(`stopped in mid-flow, ${moment}: what was taken arrives, what was not stays in the inq`, (t) =>
      stopInFlow(t, target, schedule));
  }

  test("stopped while idle, twice", async (t) => {
    const { plugin, inq } = await startInstance(t, target, await target.site(t));
    await plugin.stop();
    await plugin.stop();
    assert.equal(inq.unfinished, 0);
  });

  test("unsubscribed after the stop, and never subscribed", async (t) => {
    const { plugin, record, recorder } = await startInstance(t, target, await target.site(t));
    const queue = await record(["stix2"]);
    await plugin.unsubscribe("stix2", recorder("never subscribed"));
    await plugin.stop();
    await plugin.unsubscribe("stix2", queue);
    await plugin.unsubscribe("stix2", queue);
    assert.equal(queue.count, 0);
  });

  test("a message is answered for when it has been handed over", async (t) => {
    const { inq, record } = await startInstance(t, target, await target.site(t));
    const queue = await record(["stix2"]);
    await inq.putMany(series("a", 300));
    await inq.join();
    await eventually("all messages", () => queue.count === 300);
  });
}

/** A second instance at the same site gets what the first has left, so that nothing may be missing then. */
async function stopInFlow<Config>(
  t: TestContext,
  target: BackboneTarget<Config>,
  schedule: (stop: () => void) => void,
): Promise<void> {
  const site = await target.site(t);
  const inq = new JoinableQueue<Message>(COUNT);
  const first = await startInstance(t, target, site, { inq });
  let stopped: Promise<void> | undefined;
  const queue = await first.record(["stix2"], (count) => {
    if (count !== 1_000) return;
    schedule(() => {
      stopped = first.plugin.stop();
    });
  });
  const messages = series("a", COUNT);
  await inq.putMany(messages);
  await eventually("the stop in mid-flow", () => stopped !== undefined);
  await stopped;
  assert.equal(inq.unfinished, inq.size, "everything taken is answered for");

  const left = inq.takeNow(inq.size);
  const second = await startInstance(t, target, site);
  await second.plugin.subscribe("stix2", queue);
  await second.inq.putMany(left);
  await eventually("the rest", () => queue.count >= COUNT);
  assert.deepEqual(new Set(queue.ids), new Set(messages.map(({ id }) => id)));
  assert.equal(queue.count, COUNT, "none came twice");
}
