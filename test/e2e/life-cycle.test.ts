/** Start, stop and restart of the bus. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gap } from "@threatbus/client";
import { indicator } from "../interop/support/objects.ts";
import { eventually } from "../interop/support/wait.ts";
import { launch, records, startBus, stopCleanly, total } from "./support/bus.ts";
import { app, nextText, orderOf, publishInStep, take } from "./support/client.ts";
import { IdleApp } from "./support/idle-app.ts";

test("a port in use: one line that names port and setting, exit code 1", async (t) => {
  const first = await startBus(t);
  for (const port of ["manage", "pub", "sub"] as const) {
    const second = await launch(t, {}, { manage: 0, pub: 0, sub: 0, [port]: first.ports[port] });
    assert.deepEqual(await second.exited, { code: 1, signal: null });
    const said = second.lines.filter((line) => line.startsWith("threatbus: "));
    assert.equal(said.length, 1, second.lines.join("\n"));
    assert.match(said[0] ?? "", new RegExp(String.raw`\b${first.ports[port]}\b`));
    assert.match(said[0] ?? "", new RegExp(String.raw`plugins\.apps\.zmq\.${port}\b`));
  }
});

test("after a restart on the same ports the client subscribes again by itself", async (t) => {
  const first = await startBus(t);
  const gaps: Gap[] = [];
  const client = app(t, first, "patient");
  const subscription = client.subscribe("stix2", { onGap: (gap) => gaps.push(gap) });
  await subscription.ready();
  const before = indicator("198.51.100.9");
  await client.publish(before);
  assert.equal(await nextText(subscription), before);

  await stopCleanly(first);
  const second = await startBus(t, {}, first.ports);
  // The second bus has a folder, and so a durable log, of its own.
  await eventually("the new subscription", () => gaps.find(({ reason }) => reason === "other-log"));
  // Another app publishes: its connection is new.
  const after = indicator("198.51.100.10");
  await app(t, second, "publisher").publish(after);
  assert.equal(await nextText(subscription), after);
});

test("SIGTERM under load: what was accepted goes out in full, and the exit code is 0", async (t) => {
  const bus = await startBus(t);
  const one = app(t, bus, "one").subscribe("stix2", { queueSize: 50_000 });
  const two = app(t, bus, "two").subscribe("stix2", { queueSize: 50_000 });
  await Promise.all([one.ready(), two.ready()]);
  const publisher = app(t, bus, "publisher");
  const sent = Array.from({ length: 5_000 }, (_, i) => indicator("198.51.100.11", { x_order: i }));
  await publisher.publish(sent);
  await publisher.flush();
  // The bus has begun with them, and the rest is on its way.
  const messages = one[Symbol.asyncIterator]();
  await take(messages, 1);
  await stopCleanly(bus);

  assert.equal(
    total(bus.child, "undelivered", ({ msg }) => msg === "stopped"),
    0,
  );
  await eventually("both to have read what came", () => (one.stats.received === two.stats.received ? true : undefined));
  const rest = await take(messages, one.stats.received - 1);
  const others = await take(two[Symbol.asyncIterator](), two.stats.received);
  // Nothing is missing in between, and both got the same.
  assert.deepEqual(
    rest.map(orderOf),
    rest.map((_, i) => i + 1),
  );
  assert.deepEqual(
    others.map(orderOf),
    others.map((_, i) => i),
  );
});

test("SIGTERM beside a subscriber that does not read: received and counted make up what was accepted", async (t) => {
  const settings = { zmq: { max_items: 1_000, high_water_mark: 65_536 }, top: { drain_timeout: "1s", store: false } };
  const bus = await startBus(t, settings);
  const idle = await IdleApp.subscribe(t, bus);
  const reader = app(t, bus, "reads").subscribe("stix2");
  await reader.ready();
  const description = "x".repeat(8_000);
  const objects = Array.from({ length: 3_000 }, (_, i) => indicator("198.51.100.12", { x_order: i, description }));
  const accepted = (await publishInStep(app(t, bus, "publisher"), objects, reader)).length;
  await stopCleanly(bus);

  const received = await idle.readAll();
  const dropped = total(
    bus.child,
    "count",
    ({ reason, subscription }) => reason === "overflow" && String(subscription).startsWith("never-reads/"),
  );
  const undelivered = total(bus.child, "undelivered", ({ msg }) => msg === "stopped");
  assert.ok(dropped > 0 && undelivered > 0, "the test makes the queue overflow");
  const cut = total(bus.child, "count", ({ to, reason }) => to === "app" && reason !== "subscription-ended");
  const warnings = records(bus.child).filter(({ level }) => level === "WARNING");
  const counts = JSON.stringify({ received, dropped, undelivered, cut, warnings }, undefined, 1);
  // Of what was being written when the connection was cut, the kernel may have taken a part: it counts as cut, and came.
  const certain = received + dropped + undelivered;
  assert.ok(certain <= accepted && accepted <= certain + cut, `${certain} of ${accepted}: ${counts}`);
});
