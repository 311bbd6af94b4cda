import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMessageFactory, createMetrics, JoinableQueue, type Message } from "@threatbus/core";
import { eventually, indicator, Recorder, RecordingLogger } from "@threatbus/testkit";
import inmem from "../src/index.ts";

async function start(t: TestContext) {
  const plugin = inmem.create();
  t.after(() => plugin.stop());
  const inq = new JoinableQueue<Message>();
  const logger = new RecordingLogger();
  await plugin.run({
    config: {},
    logger,
    metrics: createMetrics(),
    signal: new AbortController().signal,
    inq,
    accept: async (messages) => messages,
  });
  return { plugin, inq, logger };
}

test("it has no settings", () => {
  assert.deepEqual(inmem.configSchema.parse({}), {});
  assert.equal(inmem.configSchema.safeParse({ size: 1 }).success, false);
});

test("sockets and timers get their turn while the inq is never empty", async (t) => {
  const { plugin, inq } = await start(t);
  const stix = indicator();
  const { stix: message } = createMessageFactory("test");
  let turns = 0;
  let routed = 0;
  const refilling = new Recorder("refilling", (count) => {
    routed = count;
    if (turns === 0 && count < 1_000_000) inq.tryPut(message(stix));
  });
  await plugin.subscribe("stix2", refilling);
  await inq.putMany(Array.from({ length: 256 }, () => message(stix)));
  setImmediate(() => {
    turns += 1;
  });
  await inq.join();
  assert.ok(routed < 1_000_000, "no turn came in a million messages");
});

test("a queue that throws is logged, and what was taken is answered for", async (t) => {
  const { plugin, inq, logger } = await start(t);
  const broken = new Recorder("broken", () => {
    throw new Error("broken queue");
  });
  await plugin.subscribe("stix2", broken);
  await inq.put(createMessageFactory("test").stix(indicator()));
  await inq.join();
  await eventually("the error is logged", () => logger.lines.some(({ level }) => level === "error"));
});
