import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { createMetrics } from "@threatbus/core";
import definition from "../src/index.ts";
import { Management } from "../src/management.ts";
import { createMetrics as zmqMetrics } from "../src/metrics.ts";
import { isLoopback } from "../src/options.ts";
import type { Subscription } from "../src/subscription.ts";
import { Listener, Manager, publisher } from "./clients.ts";
import { Harness, startPlugin } from "./harness.ts";
import { recordingLogger } from "./log.ts";
import { indicatorJson, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

const errorOf = (config: unknown) => definition.configSchema.safeParse(config).error?.message ?? "";

test("an empty section means the defaults of the protocol", () => {
  assert.deepEqual(definition.configSchema.parse({}), {
    host: "127.0.0.1",
    manage: 13_370,
    pub: 13_371,
    sub: 13_372,
    max_message_bytes: 10 * 1024 * 1024,
    heartbeat_timeout: 30_000,
    linger: 10_000,
    subscribe_timeout: 30_000,
    max_items: 10_000,
    max_bytes: 64 * 1024 * 1024,
    max_subscriptions: 10_000,
    high_water_mark: 4 * 1024 * 1024,
  });
});

test("the README has every setting, and its example is valid", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  for (const name of [...Object.keys(definition.configSchema.parse({})), "overflow"])
    assert.ok(readme.includes(`\`${name}\``), name);
  const example = Object.fromEntries(
    [...readme.matchAll(/^ {10}(\w+): (\S+)$/gm)].map(([, key, value]) => [
      key,
      key === "host" ? value : Number(value),
    ]),
  );
  assert.deepEqual(Object.keys(example), ["host", "manage", "pub", "sub"]);
  assert.deepEqual(definition.configSchema.parse(example), definition.configSchema.parse({}));
});

test("wrong settings are refused", () => {
  assert.match(errorOf({ curve: { server_key: "x" } }), /not available yet/);
  assert.match(errorOf({ pub: 70_000 }), /pub/);
  assert.match(errorOf({ pubb: 1 }), /pubb/);
  assert.match(errorOf({ pub: 13_370 }), /three different ports/);
  assert.match(errorOf({ linger: "soon" }), /duration/);
  assert.match(errorOf({ linger: "365d" }), /24d/);
  assert.match(errorOf({ max_message_bytes: 0 }), /1 byte/);
  assert.match(errorOf({ overflow: "block" }), /drop_oldest/);
});

test("loopback is told from the network", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) assert.equal(isLoopback(host), true, host);
  for (const host of ["0.0.0.0", "*", "::", "192.0.2.1", "example.org", "127.example.org"]) {
    assert.equal(isLoopback(host), false, host);
  }
});

test("a port in use is an error that names port and setting, and the other ports are free again", async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise((resolve) => taken.close(resolve)));
  const address = taken.address();
  assert.ok(typeof address === "object" && address !== null);
  const { port } = address;
  const harness = new Harness({ config: { manage: port } });
  await assert.rejects(harness.start(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "TB_PORT_IN_USE");
    assert.match(error.message, new RegExp(`port ${port} .*plugins\\.apps\\.zmq\\.manage`));
    return true;
  });
  await harness.plugin.stopIntake();
  await harness.plugin.stop();
  const servers = () => process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
  await until("only the server of this test listening", () => servers() === 1);
});

test("a host that cannot be bound to is an error that names its setting", async () => {
  // 192.0.2.1 is an address of no machine (RFC 5737)
  for (const host of ["192.0.2.1", "no-such-host.invalid"]) {
    const harness = new Harness({ config: { host } });
    await assert.rejects(harness.start(), (error: Error & { code?: string }) => {
      assert.equal(error.code, "TB_ADDRESS_UNAVAILABLE", error.message);
      assert.ok(error.message.startsWith(`${host} (setting plugins.apps.zmq.host) `), error.message);
      return true;
    });
    await harness.plugin.stopIntake();
    await harness.plugin.stop();
  }
});

test("binding to the network is warned of", async (t) => {
  const open = await startPlugin(t, { config: { host: "*" } });
  const warning = open.log.find(({ level }) => level === "warn");
  assert.match(warning?.message ?? "", /open to the network without encryption or authentication/);
  assert.equal(warning?.fields.setting, "plugins.apps.zmq.host");
  const closed = await startPlugin(t);
  assert.equal(
    closed.log.some(({ level }) => level === "warn"),
    false,
  );
});

test("after stopIntake nothing new is taken, and what is queued still goes out", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2");
  const publish = await publisher(t, harness);
  publish(`stix2/indicator ${indicatorJson()}`);
  await until("the message before", () => harness.received.length === 1);
  await harness.plugin.stopIntake();
  const reply = await manager.ask({ action: "subscribe", topic: "stix2" });
  assert.deepEqual(reply, { status: "error", message: "shutting down", code: "TB_UNAVAILABLE" });
  assert.equal(await manager.status("heartbeat", topic), "success");
  for (let count = 0; count < 1_000; count += 1) harness.deliver(stixMessage(indicatorJson()));
  const app = new Listener(t, harness, topic);
  await until("all messages", () => app.received.length === 1_000);
});

test("stop writes out what was sent, gives all queues back, and frees the ports", async (t) => {
  const harness = await startPlugin(t);
  const { topic } = await new Manager(t, harness).subscribe("stix2");
  const app = new Listener(t, harness, topic);
  const [outq] = harness.outqs.keys();
  for (let count = 0; count < 5_000; count += 1) harness.deliver(stixMessage(indicatorJson()));
  await until("an empty queue", () => outq?.size === 0);
  await harness.stop();
  await until("all messages", () => app.received.length === 5_000);
  assert.equal(harness.outqs.size, 0);
  const again = new Harness({ config: harness.ports });
  await again.start();
  await again.stop();
});

test("an app is answered even while the backbone hangs, and a late subscription ends at once", async () => {
  const ended: string[] = [];
  const late = Promise.withResolvers<Subscription>();
  const management = new Management({
    subscriptions: {
      add: () => late.promise,
      get: () => undefined,
      end: async (_subscription, reason) => void ended.push(reason),
    },
    ports: { pub: 1, sub: 2 },
    metrics: zmqMetrics(createMetrics(), () => 0),
    logger: recordingLogger([]),
    replyLimit: 1,
  });
  const reply = await management.answer([Buffer.from('{"action":"subscribe","topic":"stix2"}')]);
  assert.deepEqual(JSON.parse(reply.toString()), {
    status: "error",
    message: "the backbone does not answer",
    code: "TB_UNAVAILABLE",
  });
  late.resolve({} as Subscription);
  await until("the end of the late subscription", () => ended.length === 1);
  assert.deepEqual(ended, ["abandoned"]);
});
