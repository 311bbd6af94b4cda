/** What the health and metrics server does with clients that mean no good. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createMetrics } from "@threatbus/core";
import { eventually, RecordingLogger } from "@threatbus/testkit";
import { Health } from "../src/health.ts";
import { startHttp } from "../src/http.ts";

async function start(t: TestContext, host = "127.0.0.1") {
  const metrics = createMetrics();
  const health = new Health(metrics);
  const logger = new RecordingLogger();
  const server = await startHttp({ host, port: 0, health, metrics, logger });
  t.after(() => server.close());
  return { server, health, logger };
}

function open(t: TestContext, url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname.replace(/^\[(.*)\]$/, "$1")).resume();
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  return socket;
}

for (const host of ["127.0.0.1", "localhost"]) {
  test(`${host}: connections that say nothing are bounded, and do not keep the server from closing`, async (t) => {
    const { server } = await start(t, host);
    const sockets = Array.from({ length: 250 }, () => open(t, server.url));
    await eventually("the ones too many to be closed", () => sockets.filter(({ closed }) => closed).length >= 50);
    assert.ok(sockets.filter(({ closed }) => !closed).length >= 100);
    for (const socket of sockets.slice(0, 220)) socket.destroy();
    await eventually("an answer", async () => {
      const answer = await fetch(`${server.url}/health`).catch(() => undefined);
      return answer?.status === 200;
    });
    await server.close();
  });
}

test("a client that never reads what it asks for is cut off", async (t) => {
  const { server } = await start(t);
  const deaf = open(t, server.url).pause();
  let isOver = false;
  deaf.on("error", () => (isOver = true)).on("close", () => (isOver = true));
  // More than the network takes, so that its end is noticed without reading.
  deaf.write("GET /metrics HTTP/1.1\r\nhost: bus\r\n\r\n".repeat(500_000));
  await eventually("the end of its connection", () => isOver);
  assert.equal((await fetch(`${server.url}/health`)).status, 200);
});

test("an answer that cannot be made is logged", async (t) => {
  const { server, health, logger } = await start(t);
  health.watch(() => {
    throw new Error("nobody knows");
  });
  assert.equal((await fetch(`${server.url}/health`)).status, 500);
  assert.deepEqual(logger.lines, [
    { level: "error", fields: { url: "/health", error: "nobody knows" }, message: "no answer could be made" },
  ]);
});

test("what is no request of ours is answered without harm", async (t) => {
  const { server, health, logger } = await start(t);
  const status = async (path: string, init?: RequestInit) => (await fetch(`${server.url}${path}`, init)).status;
  assert.equal(await status("/"), 404);
  assert.equal(await status("/health", { method: "POST", body: "x".repeat(100_000) }), 413);
  const garbage = open(t, server.url);
  garbage.write(`GET /health HTTP/1.1\r\nx: ${"x".repeat(100_000)}\r\n\r\n`);
  await eventually("a header that is too long to end its connection", () => garbage.closed);
  health.set("__proto__", false, "a strange name");
  assert.equal(await status("/health"), 503);
  assert.equal(await status("/metrics"), 200);
  assert.deepEqual(logger.lines, []);
});
