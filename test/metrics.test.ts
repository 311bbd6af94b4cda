/** The metrics that docs/operations.md lists are there, and true after a short flow through a whole bus. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import http from "@threatbus/app-http";
import zmq from "@threatbus/app-zmq";
import inmem from "@threatbus/backbone-inmem";
import { connect } from "@threatbus/client";
import { createMetrics, loadConfig, METRICS, type PluginDefinition, ThreatBus, watchEventLoop } from "@threatbus/core";
import { Store } from "@threatbus/store";
import { eventually, indicator, numberedIndicator, RecordingLogger, sighting } from "@threatbus/testkit";
import { Pub, Req } from "@threatbus/zmtp";
import { folder } from "./interop/support/process.ts";

const MAX_ITEMS = 4;
/** Those of the flow that are accepted. */
const MESSAGES = 7;

/** A bus as `threatbus run` makes it, in this process, with queues of four messages. */
async function startBus(t: TestContext, hasLog: boolean) {
  const environment = {
    ...(hasLog ? {} : { THREATBUS_STORE: "false" }),
    // What the stuck subscription holds is not waited for at the end.
    THREATBUS_DRAIN_TIMEOUT: "10ms",
    THREATBUS_PLUGINS__APPS__ZMQ__MANAGE: "0",
    THREATBUS_PLUGINS__APPS__ZMQ__PUB: "0",
    THREATBUS_PLUGINS__APPS__ZMQ__SUB: "0",
    THREATBUS_PLUGINS__APPS__ZMQ__MAX_ITEMS: String(MAX_ITEMS),
    THREATBUS_PLUGINS__APPS__HTTP__PORT: "0",
  };
  const definitions = new Map<string, PluginDefinition>([inmem, zmq, http].map((each) => [each.name, each]));
  const loaded = await loadConfig({
    cwd: await folder(t),
    env: environment,
    plugins: async (requests) =>
      requests.map((request) => {
        const definition = definitions.get(request.name);
        assert.ok(definition, request.name);
        return { request, definition, origin: "built in" };
      }),
  });
  assert.ok(loaded.ok);
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const endWatch = watchEventLoop({ logger, metrics });
  const path = join(await folder(t), "threatbus.db");
  const bus = new ThreatBus({ config: loaded.config, logger, metrics, openLog: () => Store.open({ path }) });
  t.after(async () => {
    await bus.stop();
    endWatch();
  });
  const { addresses } = await bus.start();
  const urlOf = (name: string) => addresses.find((each) => each.name === name)?.url ?? "";
  const portOf = (name: string) => Number(new URL(urlOf(name)).port);
  /** The metrics as Prometheus gets them. */
  const scrape = async () => await (await fetch(`${urlOf("api")}/metrics`)).text();
  return { scrape, ports: { manage: portOf("manage"), sub: portOf("sub") } };
}

/** A subscription whose app never comes: all stays in its queue. @returns its p2p topic. */
async function stuckSubscription(t: TestContext, manage: number): Promise<string> {
  const req = new Req();
  t.after(() => req.close());
  req.connect({ host: "127.0.0.1", port: manage });
  const reply = await req.request(Buffer.from(JSON.stringify({ action: "subscribe", topic: "stix2", name: "stuck" })));
  return JSON.parse(reply.toString()).topic;
}

/** Sends frames to the bus as an app that checks nothing. */
async function rawPublisher(t: TestContext, port: number): Promise<(frame: string) => void> {
  const pub = new Pub();
  t.after(() => pub.close());
  pub.connect({ host: "127.0.0.1", port });
  await pub.subscribed("");
  const sender = pub.sender("");
  return (frame) => assert.equal(sender.send(Buffer.from(frame)), "sent");
}

/** Six indicators, a sighting, and two messages that are none go to an app that reads, past one that is stuck. */
async function shortFlow(t: TestContext, hasLog: boolean) {
  const { scrape, ports } = await startBus(t, hasLog);
  const valuesOf = async () => {
    const lines = (await scrape()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
  };
  const becomes = (name: string, value: number) =>
    eventually(`${name} ${value}`, async () => (await valuesOf()).get(name) === value);

  const app = connect({ endpoint: `tcp://127.0.0.1:${ports.manage}`, timeouts: { close: 100 } });
  const reading = app.subscribe("stix2");
  let read = 0;
  const reader = (async () => {
    for await (const _ of reading) read += 1;
  })();
  t.after(async () => {
    await app.close();
    await reader;
  });
  await becomes("threatbus_zmq_subscriptions", 1);
  await stuckSubscription(t, ports.manage);
  const publish = await rawPublisher(t, ports.sub);
  // One at a time: the reading app must not meet the bound that the stuck one is to meet.
  for (let index = 0; index < 5; index += 1) {
    publish(`stix2/indicator ${numberedIndicator(index).bytes}`);
    await becomes('threatbus_messages_delivered_total{component="zmq"}', index + 1);
  }
  publish("stix2/indicator {");
  publish("other/topic {}");
  publish(`stix2/indicator ${indicator().bytes}`);
  await becomes('threatbus_messages_delivered_total{component="zmq"}', 6);
  publish(`stix2/sighting ${sighting().bytes}`);
  await becomes('threatbus_messages_delivered_total{component="zmq"}', MESSAGES);

  await eventually("the app has all", () => read === MESSAGES);

  return { values: await valuesOf(), text: await scrape() };
}

/** With the durable log what the stuck app's queue has no room for is kept for it, ... */
const WITH_LOG = {
  threatbus_subscriptions_behind: 1,
  threatbus_log_position: MESSAGES,
  threatbus_log_ok: 1,
  threatbus_log_missed_total: 0,
  'threatbus_messages_dropped_total{component="zmq",reason="overflow"}': undefined,
};
/** ... and without one it is lost. */
const WITHOUT_LOG = {
  threatbus_subscriptions_behind: 0,
  'threatbus_messages_dropped_total{component="zmq",reason="overflow"}': MESSAGES - MAX_ITEMS,
};

for (const hasLog of [true, false]) {
  test(`after a short flow every metric is there with the value it should have, ${hasLog ? "with" : "without"} the log`, async (t) => {
    const { values, text } = await shortFlow(t, hasLog);
    const expected = {
      ...(hasLog ? WITH_LOG : WITHOUT_LOG),
      'threatbus_messages_received_total{source="zmq",type="indicator"}': 6,
      'threatbus_messages_received_total{source="zmq",type="sighting"}': 1,
      'threatbus_messages_delivered_total{component="zmq"}': MESSAGES,
      'threatbus_messages_dropped_total{component="zmq",reason="json.syntax"}': 1,
      'threatbus_messages_dropped_total{component="zmq",reason="topic"}': 1,
      threatbus_outq_messages: MAX_ITEMS,
      threatbus_inq_messages: 0,
      threatbus_subscriptions: 2,
      threatbus_snapshots_open: 0,
      threatbus_zmq_subscriptions: 2,
      'threatbus_zmq_management_requests_total{action="subscribe",status="success"}': 2,
    };
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, values.get(name)])), expected);
    // Those of the log are there with the log alone.
    const there = Object.entries(METRICS).filter(([name]) => hasLog || !name.startsWith("threatbus_log_"));
    for (const [name, { type }] of there) assert.ok(text.includes(`# TYPE ${name} ${type}\n`), name);
    for (const name of Object.keys(METRICS).filter((each) => /^(process|nodejs)_/.test(each)))
      assert.ok(Number(values.get(name)) > 0, name);
    for (const quantile of ["0.99", "1"])
      assert.ok(Number(values.get(`threatbus_event_loop_delay_seconds{quantile="${quantile}"}`)) >= 0);
  });
}
