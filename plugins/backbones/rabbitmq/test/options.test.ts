import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { optionsSchema } from "../src/options.ts";

const LOGIN = { host: "broker", username: "sensor1", password: "secret" };

test("the settings of Threat Bus 2022.5 mean the same", () => {
  const queue = {
    name_suffix: "sensor1",
    name_join_symbol: ".",
    durable: true,
    auto_delete: false,
    lazy: true,
    exclusive: false,
    max_items: 100_000,
  };
  const options = optionsSchema.parse({ ...LOGIN, port: 5672, vhost: "/", exchange_name: "threatbus", queue });
  assert.deepEqual(options.endpoints, [{ host: "broker", port: 5672 }]);
  assert.equal(options.queue.name, "threatbus.sensor1");
  assert.equal(options.exchange_name, "threatbus");
  assert.equal(options.tls, undefined);
});

test("the queue is named after the host unless it has a name", () => {
  assert.equal(optionsSchema.parse(LOGIN).queue.name, `threatbus.${hostname()}`);
  const queue = { name_suffix: "a", name_join_symbol: "_" };
  assert.equal(optionsSchema.parse({ ...LOGIN, queue }).queue.name, "threatbus_a");
});

test("a URL stands for its parts, TLS and ports included", () => {
  const plain = optionsSchema.parse({ url: "amqp://user%40site:p%2Fw@broker/site%2Fa" });
  const { username, password, vhost, endpoints, tls } = plain;
  assert.deepEqual({ username, password, vhost }, { username: "user@site", password: "p/w", vhost: "site/a" });
  assert.deepEqual(endpoints, [{ host: "broker", port: 5672 }]);
  assert.equal(tls, undefined);
  const secure = optionsSchema.parse({ url: "amqps://u:p@[2001:db8::1]", tls: { ca: "ca.pem" } });
  assert.deepEqual(secure.endpoints, [{ host: "2001:db8::1", port: 5671 }]);
  assert.deepEqual(secure.tls, { ca: "ca.pem" });
  assert.deepEqual(optionsSchema.parse({ url: "amqps://u:p@broker:5600" }).tls, {});
  assert.equal(optionsSchema.parse({ url: "amqp://broker/" }).username, "guest");
});

test("several nodes, each with its port or the usual one", () => {
  const hosts = ["one", "two:5673", "[::1]:5674", "[::2]"];
  const { endpoints } = optionsSchema.parse({ hosts, port: 5670, username: "u", password: "p" });
  assert.deepEqual(endpoints, [
    { host: "one", port: 5670 },
    { host: "two", port: 5673 },
    { host: "::1", port: 5674 },
    { host: "::2", port: 5670 },
  ]);
});

const REFUSED: Readonly<Record<string, object>> = {
  "no place": { username: "u", password: "p" },
  "two places": { ...LOGIN, url: "amqp://broker" },
  "no user": { host: "broker", password: "p" },
  "no password": { host: "broker", username: "u" },
  "a URL of something else": { url: "http://broker" },
  "a URL that is none": { url: "broker:5672" },
  "a broken escape in a URL": { url: "amqp://%zz:p@broker" },
  "a node with a path": { hosts: ["broker/x"], username: "u", password: "p" },
  "an exchange name that is too long": { ...LOGIN, exchange_name: "x".repeat(248) },
  "an exclusive quorum queue": { ...LOGIN, queue: { type: "quorum", exclusive: true } },
  "a transient quorum queue": { ...LOGIN, queue: { type: "quorum", durable: false } },
  "a certificate without its key": { ...LOGIN, tls: { cert: "cert.pem" } },
  "a heartbeat of no time": { ...LOGIN, heartbeat: "0s" },
  "an unknown setting": { ...LOGIN, exchange: "threatbus" },
  "no prefetch": { ...LOGIN, prefetch: 0 },
};

for (const [what, settings] of Object.entries(REFUSED)) {
  test(`refused: ${what}`, () => assert.equal(optionsSchema.safeParse(settings).success, false));
}
