/** The plugin with real sockets: what it answers, and what it does with clients that mean no good. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createMetrics, gauge, type HealthReport, ThreatBusError } from "@threatbus/core";
import { eventually } from "@threatbus/testkit";
import definition from "../src/index.ts";
import { FakeBus } from "./fake-bus.ts";

const WELL: HealthReport = {
  ok: true,
  parts: [
    { name: "log", ok: true, detail: "at position 4711" },
    { name: "backbone nats", ok: true, detail: "connected to 127.0.0.1:4222" },
  ],
};
const ILL: HealthReport = {
  ok: false,
  parts: [
    { name: "log", ok: true, detail: "at position 4711" },
    { name: "backbone nats", ok: false, detail: "connection refused" },
    { name: "__proto__", ok: false, detail: "a strange name" },
  ],
};

/** A running plugin, its URL, and the bus that it asks. */
async function start(t: TestContext, config: object = {}) {
  const bus = new FakeBus(WELL);
  const plugin = definition.create();
  const [bound] = await plugin.run(bus.context(definition.configSchema.parse({ port: 0, ...config })));
  t.after(() => plugin.stop());
  assert.equal(bound?.name, "api");
  return { url: bound.url, bus, plugin };
}

function open(t: TestContext, url: string): Socket {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname.replaceAll(/[[\]]/g, "")).resume();
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  return socket;
}

test("the options have defaults, and a setting that there is not is refused", () => {
  assert.deepEqual(definition.configSchema.parse({}), { host: "127.0.0.1", port: 13_379 });
  assert.equal(definition.configSchema.safeParse({ prot: 1 }).success, false);
  assert.equal(definition.configSchema.safeParse({ port: 65_536 }).success, false);
});

test("/health is 200 while all parts are well, and 503 with a failing one, which is named", async (t) => {
  const { url, bus } = await start(t);
  const well = await fetch(`${url}/health`);
  assert.equal(well.status, 200);
  assert.match(well.headers.get("content-type") ?? "", /^application\/json/);
  assert.deepEqual(await well.json(), {
    status: "ok",
    parts: {
      log: { ok: true, detail: "at position 4711" },
      "backbone nats": { ok: true, detail: "connected to 127.0.0.1:4222" },
    },
  });
  bus.report = ILL;
  const ill = await fetch(`${url}/health`);
  assert.equal(ill.status, 503);
  const answer = (await ill.json()) as { status: string; parts: Record<string, object> };
  assert.equal(answer.status, "failing");
  assert.deepEqual(answer.parts["backbone nats"], { ok: false, detail: "connection refused" });
  bus.report = WELL;
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test("/metrics has what is in the registry, as it is at that moment", async (t) => {
  const { url, bus } = await start(t);
  let ok = 1;
  gauge(bus.metrics, "threatbus_backbone_ok", (metric) => metric.set({ backbone: "nats" }, ok));
  const scrape = async () => await fetch(`${url}/metrics`);
  const first = await scrape();
  assert.equal(first.headers.get("content-type"), createMetrics().contentType);
  assert.match(await first.text(), /^threatbus_backbone_ok\{backbone="nats"\} 1$/m);
  ok = 0;
  assert.match(await (await scrape()).text(), /^threatbus_backbone_ok\{backbone="nats"\} 0$/m);
});

test("metrics that cannot be collected are logged, and health is told all the same", async (t) => {
  const { url, bus } = await start(t);
  gauge(bus.metrics, "threatbus_backbone_ok", () => {
    throw new Error("nobody knows");
  });
  assert.equal((await fetch(`${url}/metrics`)).status, 500);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  const fields = { url: "/metrics", error: "nobody knows" };
  assert.deepEqual(bus.logger.lines, [{ level: "error", fields, message: "no answer could be made" }]);
});

test("HEAD answers as GET does, without a body; everything else is not found", async (t) => {
  const { url, bus } = await start(t);
  const ask = async (method: string, path: string) => await fetch(`${url}${path}`, { method });
  for (const path of ["/health", "/metrics"]) {
    const head = await ask("HEAD", path);
    assert.deepEqual([head.status, await head.text()], [200, ""], path);
  }
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/health/log"],
    ["GET", "/metrics/more"],
    ["POST", "/health"],
    ["DELETE", "/metrics"],
  ] as const) {
    assert.equal((await ask(method, path)).status, 404, `${method} ${path}`);
  }
  bus.report = ILL;
  assert.equal((await ask("HEAD", "/health")).status, 503);
});

test("what is no request of ours is answered without harm", async (t) => {
  const { url } = await start(t);
  const tooLarge = await fetch(`${url}/health`, { method: "POST", body: "x".repeat(100_000) });
  assert.equal(tooLarge.status, 413);
  for (const text of [
    `GET /health HTTP/1.1\r\nx: ${"x".repeat(100_000)}\r\n\r\n`,
    "\0\x01\xff no HTTP at all\r\n\r\n",
    "GET /health HTTP/9.9\r\n\r\n",
  ]) {
    const garbage = open(t, url);
    garbage.write(text, "latin1");
    await eventually(`the connection of ${JSON.stringify(text.slice(0, 30))} to end`, () => garbage.closed);
  }
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test("connections that say nothing are bounded, and do not keep the plugin from stopping", async (t) => {
  // By name: a name that stands for two addresses must not get round the bound.
  const { url, plugin } = await start(t, { host: "localhost" });
  const sockets = Array.from({ length: 250 }, () => open(t, url));
  await eventually("the ones too many to be closed", () => sockets.filter(({ closed }) => closed).length >= 50);
  assert.ok(sockets.filter(({ closed }) => !closed).length >= 100);
  for (const socket of sockets.slice(0, 220)) socket.destroy();
  await eventually("an answer", async () => {
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    return answer?.status === 200;
  });
  await plugin.stop();
  await eventually("the rest to be closed", () => sockets.every(({ closed }) => closed));
});

test("a client that never reads what it asks for is cut off", async (t) => {
  const { url } = await start(t);
  const deaf = open(t, url).pause();
  let isOver = false;
  deaf.on("error", () => (isOver = true)).on("close", () => (isOver = true));
  // More than the network takes, so that its end is noticed without reading.
  deaf.write("GET /metrics HTTP/1.1\r\nhost: bus\r\n\r\n".repeat(500_000));
  await eventually("the end of its connection", () => isOver);
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test("a port in use, and a host that is none, are errors that name the setting", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await assert.rejects(start(t, { port }), (error) => {
    assert.ok(error instanceof ThreatBusError);
    assert.equal(error.code, "TB_PORT_IN_USE");
    assert.match(
      error.message,
      new RegExp(`^127.0.0.1 port ${port} \\(setting plugins\\.apps\\.http\\.port\\) is in use`),
    );
    return true;
  });
  await assert.rejects(start(t, { host: "192.0.2.1" }), {
    code: "TB_ADDRESS_UNAVAILABLE",
    message: /192\.0\.2\.1 \(setting plugins\.apps\.http\.host\)/,
  });
});

test("it answers while the bus goes down, until it is stopped", async (t) => {
  const { url, plugin } = await start(t, { host: "*" });
  assert.match(url, /^http:\/\/0\.0\.0\.0:\d+$/);
  const local = url.replace("0.0.0.0", "127.0.0.1");
  await plugin.stopIntake();
  assert.equal((await fetch(`${local}/health`)).status, 200);
  await plugin.stop();
  await assert.rejects(fetch(`${local}/health`));
  // As after a start that failed.
  await plugin.stop();
  await definition.create().stop();
});
