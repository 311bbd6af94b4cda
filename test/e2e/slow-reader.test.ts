/** Subscribers that hold the bus up, and subscribers that come and go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@threatbus/client";
import { indicator } from "../interop/support/objects.ts";
import { eventually } from "../interop/support/wait.ts";
import { records, startBus } from "./support/bus.ts";
import { app, nextText, orderOf, publishInStep } from "./support/client.ts";
import { residentMebibytes } from "./support/memory.ts";

test("beside a subscriber that never reads, the one that reads gets everything; the loss is logged by name", async (t) => {
  // Without a log, which would keep it for the reader.
  const settings = { zmq: { max_items: 1_000, high_water_mark: 65_536 }, top: { store: false } };
  const bus = await startBus(t, settings);
  const idle = app(t, bus, "never-reads").subscribe("stix2/indicator", { queueSize: 1 });
  const busy = app(t, bus, "reads").subscribe("stix2/indicator");
  await Promise.all([idle.ready(), busy.ready()]);

  // More than the socket buffers of both ends take on.
  const count = 3_000;
  const description = "x".repeat(8_000);
  const sent = Array.from({ length: count }, (_, i) => indicator("198.51.100.6", { x_order: i, description }));
  const read = await publishInStep(app(t, bus, "publisher"), sent, busy);
  assert.deepEqual(
    read.map(orderOf),
    sent.map((_, i) => i),
  );
  const lost = await eventually("the loss in the log", () =>
    records(bus.child).find(({ msg }) => msg === "messages of a subscription were dropped"),
  );
  assert.match(String(lost.subscription), /^never-reads\//);
  assert.equal(lost.reason, "overflow");
  const others = records(bus.child).filter(({ subscription }) => String(subscription).startsWith("reads/"));
  assert.deepEqual(
    others.filter(({ reason }) => reason === "overflow"),
    [],
  );
});

test("1,000 subscribers come and go: every subscription ends and memory comes back", async (t) => {
  const bus = await startBus(t);
  const comeAndGo = async (): Promise<void> => {
    const client = connect({ endpoint: bus.endpoint, name: "passing" });
    await client.subscribe("stix2").ready();
    await client.close();
  };
  const rounds = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 25) await Promise.all(Array.from({ length: 25 }, comeAndGo));
  };
  // On a busy machine an unsubscription may come too late, and the app's leaving ends the subscription instead.
  const named = (wanted: (text: string) => boolean) =>
    new Set(
      records(bus.child)
        .filter(({ msg }) => wanted(String(msg)))
        .map(({ subscription }) => subscription),
    );
  const allEnded = () => {
    const ended = named((text) => /^subscription (ended|dropped)/.test(text));
    const begun = named((text) => text === "app subscribed");
    return begun.size >= 1_000 && [...begun].every((name) => ended.has(name));
  };

  // The first ones make the process grow to its working size.
  await rounds(300);
  const before = await residentMebibytes(bus.child.pid);
  await rounds(700);
  await eventually("all subscriptions to end", () => (allEnded() ? true : undefined));
  const grown = (await residentMebibytes(bus.child.pid)) - before;
  assert.ok(grown < 48, `700 subscribers left ${grown} MiB behind`);

  const last = app(t, bus, "last");
  const subscription = last.subscribe("stix2");
  await subscription.ready();
  const object = indicator("198.51.100.7");
  await last.publish(object);
  assert.equal(await nextText(subscription), object);
});
