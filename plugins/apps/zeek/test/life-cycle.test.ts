import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { domainMessage } from "./bus.ts";
import { Harness, startPlugin } from "./harness.ts";

test("a port that is taken is an error that names the setting", async (t) => {
  const first = await startPlugin(t);
  const second = new Harness({ config: { port: first.address.port } });
  await assert.rejects(second.start(), /setting plugins\.apps\.zeek\.port\) is in use/);
  await second.stop();
});

test("outside of loopback the log warns, unless certificates are asked for", async (t) => {
  const open = await startPlugin(t, { config: { host: "*" } });
  assert.ok(open.bus.logged("open to the network"));
  const local = await startPlugin(t);
  assert.equal(local.bus.logged("open to the network"), false);
});

test("a stop lets what was taken in go out, and takes nothing more in", async (t) => {
  const harness = await startPlugin(t);
  const zeek = harness.zeek(t);
  await eventually("the subscription", () => zeek.p2pTopics.length === 1);
  for (let number = 0; number < 5_000; number += 1) harness.bus.deliver(domainMessage(`${number}.example`));
  await harness.plugin.stopIntake();
  zeek.sight("indicator--46b3f973-5c03-41fc-9efe-49598a267a35");
  zeek.subscribe("stix2");
  await eventually("the drained queue", () => harness.bus.unfinished === 0);
  assert.equal(zeek.received.length, 5_000);
  const dropped = () => harness.bus.metric("threatbus_messages_dropped_total", "shutdown");
  await eventually("the refusals", async () => (await dropped()) === 2);
  await harness.stop();
  await eventually("the goodbye", () => zeek.bus === undefined);
  assert.equal(harness.bus.outqs.size, 0);
});

test("a stop with a Zeek that does not read ends all the same, and counts what it did not get", async (t) => {
  const harness = await startPlugin(t);
  const zeek = harness.zeek(t);
  await eventually("the subscription", () => zeek.p2pTopics.length === 1);
  harness.bus.deliver(domainMessage("a.example"));
  await eventually("the indicator", () => zeek.received.length === 1 && harness.bus.unfinished === 0);
  zeek.bus?.pause();
  for (let number = 0; number < 3_000; number += 1) harness.bus.deliver(domainMessage(`${number}.example`));
  await eventually(
    "the backlog",
    async () => (await harness.bus.metric("threatbus_zeek_backlog_indicators")) === 3_000,
  );
  await harness.stop();
  assert.equal(await harness.bus.metric("threatbus_messages_dropped_total", "subscription-ended"), 3_000);
});

test("stopping twice, and stopping what never ran, does no harm", async () => {
  const harness = new Harness({});
  await harness.stop();
  await harness.start();
  await harness.stop();
  await harness.stop();
});
