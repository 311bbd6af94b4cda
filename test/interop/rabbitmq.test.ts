/** This bus and the Python Threat Bus on one exchange of RabbitMQ: each side's apps have what the other side's send. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Client, connect } from "@threatbus/client";
import { rabbitmqForTests, rabbitmqMissing } from "../../scripts/services/for-tests.ts";
import { startBus } from "./support/bus.ts";
import { indicator, sighting } from "./support/objects.ts";
import { startOriginal } from "./support/original.ts";
import { pythonPrograms } from "./support/python.ts";
import { eventually, sendUntil } from "./support/wait.ts";

const skip = await rabbitmqMissing();
const broker = skip === undefined ? await rabbitmqForTests() : undefined;

/** The settings of an instance, the same for both but for the name. */
function backbone(name: string) {
  return {
    rabbitmq: {
      host: "127.0.0.1",
      port: broker?.port,
      username: "guest",
      password: "guest",
      vhost: "/",
      exchange_name: "threatbus",
      queue: { name_suffix: name, name_join_symbol: ".", durable: true, auto_delete: false, lazy: true, max_items: 0 },
    },
  };
}

function app(t: TestContext, endpoint: string, name: string): Client {
  const client = connect({ endpoint, name, timeouts: { heartbeat: 500, close: 1_000 } });
  t.after(() => client.close());
  return client;
}

/** Publishes at one side until it comes at the other: the Python side loses what it sends before a socket is there. */
async function crosses(t: TestContext, from: string, to: string, type: "indicator" | "sighting", text: string) {
  const subscription = app(t, to, `${type} receiver`).subscribe(`stix2/${type}`);
  await subscription.ready();
  const sender = app(t, from, `${type} sender`);
  const wanted = JSON.parse(text);
  const arrived = (async () => {
    for await (const { object } of subscription) if (object.id === wanted.id) return object;
    return undefined;
  })();
  assert.deepEqual(await sendUntil(arrived, async () => void (await sender.publish(text))), wanted);
}

/** Asks at one side for history that only an app at the other side has. */
async function answers(t: TestContext, at: string, from: string): Promise<void> {
  const known = indicator("198.51.100.60", { name: "known for long" });
  const platform = app(t, at, "platform");
  platform.onSnapshotRequest(({ type }) => (type === "indicator" ? [known] : []));
  // An app is asked over its subscription.
  await platform.subscribe("stix2/sighting").ready();
  const answered = Promise.withResolvers<unknown>();
  const ask = async () => {
    const asker = app(t, from, "asker").subscribe("stix2/indicator", { snapshot: "5d" });
    const read = async () => {
      for await (const { object } of asker) if (object.id === JSON.parse(known).id) answered.resolve(object);
    };
    read().catch(answered.reject);
    await asker.ready();
  };
  assert.deepEqual(await sendUntil(answered.promise, ask), JSON.parse(known));
}

test("this bus and the Python Threat Bus share an exchange", { skip }, async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  // The original declares the exchange, so that ours has to declare the same.
  const python = await startOriginal(t, programs, backbone("python"), /RabbitMQ backbone started/);
  const bindings = async () => (await broker?.ctl("list_bindings", "source_name", "destination_name")) ?? "";
  await eventually(
    "the original's queue",
    async () => (await bindings()).includes("threatbus\tthreatbus.python") || undefined,
  );
  const { ports } = await startBus(t, { backbones: backbone("ours") });
  const ours = `127.0.0.1:${ports.manage}`;

  await t.test("indicators, to the original", () => crosses(t, ours, python, "indicator", indicator("198.51.100.1")));
  await t.test("indicators, from it", () => crosses(t, python, ours, "indicator", indicator("198.51.100.2")));
  const of = JSON.parse(indicator("198.51.100.1")).id;
  await t.test("sightings, to it", () => crosses(t, ours, python, "sighting", sighting(of)));
  await t.test("sightings, from it", () => crosses(t, python, ours, "sighting", sighting(of)));
  await t.test("a snapshot asked here, answered there", () => answers(t, python, ours));
  await t.test("a snapshot asked there, answered here", () => answers(t, ours, python));
  await t.test("both queues lie beside one another", async () => {
    const queues = (await broker?.ctl("list_queues", "name", "messages")) ?? "";
    for (const name of ["threatbus.ours", "threatbus.python"]) assert.match(queues, new RegExp(`^${name}\\t`, "m"));
  });
});
