import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, optionsSchema } from "../src/options.ts";

test("the defaults are those of the original plugin, and safe", () => {
  assert.deepEqual(optionsSchema.parse({}), {
    host: "127.0.0.1",
    port: 47_761,
    module_namespace: "Tenzir",
    tls: "auto",
    websocket: [],
    heartbeat_timeout: 30_000,
    linger: 10_000,
    subscribe_timeout: 30_000,
    max_in_flight: 1_000,
    max_backlog: 64 * 1024 * 1024,
    max_items: 10_000,
    max_bytes: 64 * 1024 * 1024,
    max_subscriptions: 1_000,
  });
  assert.ok(Object.isFrozen(optionsSchema.parse({})));
});

test("a WebSocket server needs a URL, and listens to the topics of the script", () => {
  const [server] = optionsSchema.parse({ websocket: [{ url: "ws://127.0.0.1:27759/v1/messages/json" }] }).websocket;
  assert.deepEqual(server, {
    url: "ws://127.0.0.1:27759/v1/messages/json",
    topics: ["stix2/sighting", "threatbus/manage"],
    snapshot: 0,
  });
});

test("what cannot work is refused", () => {
  for (const options of [
    { port: 65_536 },
    { host: "" },
    { module_namespace: "" },
    { module_namespace: "Tenzir::" },
    { module_namespace: "no-module" },
    { tls: "on" },
    { tls: { cert: "a", key: "b" } },
    { max_in_flight: 0 },
    { max_backlog: "0B" },
    { overflow: "block" },
    { linger: "0s" },
    { websocket: [{}] },
    { websocket: [{ url: "http://127.0.0.1/" }] },
    { websocket: [{ url: "ws://127.0.0.1/", topics: [] }] },
    { websocket: [{ url: "ws://127.0.0.1/", cert: "a.pem" }] },
    { websocket: [{ url: "ws://127.0.0.1/" }, { url: "ws://127.0.0.1/", snapshot: "1d" }] },
    { websockets: [] },
  ]) {
    assert.equal(optionsSchema.safeParse(options).success, false, JSON.stringify(options));
  }
});

test("a module within a module, and sizes as numbers or text", () => {
  const options = optionsSchema.parse({ module_namespace: "Site::Tenzir_2", max_backlog: "1MiB" });
  assert.equal(options.max_backlog, 1024 * 1024);
  assert.equal(optionsSchema.parse({ max_backlog: 5 }).max_backlog, 5);
});

test("loopback addresses", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) assert.equal(isLoopback(host), true, host);
  for (const host of ["0.0.0.0", "::", "*", "192.0.2.1", "127.example"]) assert.equal(isLoopback(host), false, host);
});
