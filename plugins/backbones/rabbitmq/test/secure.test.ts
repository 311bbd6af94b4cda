/** TLS, and the commands of the documentation, each run against a real broker. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, indicator, startTcpProxy } from "@threatbus/testkit";
import { rabbitmqForTests, rabbitmqMissing } from "../../../../scripts/services/for-tests.ts";
import { names, openChannel, series, start } from "./harness.ts";

const file = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const certificate = (name: string) => file(`packages/zeek-broker/test/certificates/${name}`);
const CA = certificate("ca.pem");
const skip = await rabbitmqMissing();
const options = skip === undefined ? {} : { skip };
const tls = { ca: CA, cert: certificate("a.pem"), key: certificate("a.key"), verify: true };
const broker = skip === undefined ? await rabbitmqForTests({ tls }) : undefined;
const server = () => broker ?? assert.fail("tests without a broker are skipped");

function settings(more: object) {
  const { exchange, suffix } = names();
  const login = { username: "guest", password: "guest" };
  return { ...login, exchange_name: exchange, queue: { name_suffix: suffix }, ...more };
}

test("mutual TLS, and the second of two nodes when the first is away", options, async (t) => {
  const away = await startTcpProxy(t, { port: 1 });
  away.cut({ refuse: true });
  const { inq, record, plugin } = await start(
    t,
    settings({
      hosts: [`localhost:${away.port}`, `localhost:${server().tlsPort}`],
      tls: { ca: CA, cert: certificate("b.pem"), key: certificate("b.key") },
    }),
  );
  await eventually("connected", () => plugin.state?.ok === true);
  const queue = await record();
  await inq.putMany(series(100));
  await eventually("messages over TLS", () => queue.count === 100);
});

const UNTRUSTED: Readonly<Record<string, object | true>> = {
  "a broker whose certificate nobody here trusts": true,
  "a broker that asks for a certificate": { ca: CA },
};

for (const [what, own] of Object.entries(UNTRUSTED)) {
  test(`no connection: ${what}`, options, async (t) => {
    const { plugin } = await start(t, settings({ host: "localhost", port: server().tlsPort, tls: own }));
    assert.equal(plugin.state?.ok, false);
    assert.match(plugin.state?.text ?? "", /^no connection to localhost:\d+: /);
  });
}

test("a certificate that cannot be read is an error that names the setting", options, async (t) => {
  const started = start(t, settings({ host: "localhost", tls: { ca: "missing.pem" } }));
  await assert.rejects(started, /plugins\.backbones\.rabbitmq\.tls\.ca cannot be read: ENOENT/);
});

/** The rabbitmqctl lines of the page, as lists of arguments; a shell would read the quotes in the same way. */
function documented(): string[][] {
  const pages = ["docs/plugins/rabbitmq.md", "docs/operations.md"].map((page) => readFileSync(file(page), "utf8"));
  const lines = pages.flatMap((page) => [...page.matchAll(/^ {4}rabbitmqctl (.*)$/gm)].map(([, line = ""]) => line));
  return [...new Set(lines)].map((line) =>
    [...line.matchAll(/"((?:\\.|[^"])*)"|'([^']*)'|(\S+)/g)].map(
      ([, double, single, bare]) => double?.replaceAll("\\\\", "\\") ?? single ?? bare ?? "",
    ),
  );
}

test("the documented commands work, and give rights that are enough and no more", options, async (t) => {
  const own = await rabbitmqForTests();
  const commands = documented();
  const isLast = ([first = "", name]: string[]) => first.startsWith("delete_") && name !== "guest";
  // A policy needs its virtual host, which the page makes further down.
  const order = ["add_vhost", "add_user", "set_permissions", "set_policy"];
  const rank = ([first = ""]: string[]) => (order.includes(first) ? order.indexOf(first) : order.length);
  const first = commands.filter((command) => !isLast(command)).sort((a, b) => rank(a) - rank(b));
  assert.ok(first.length >= 10);
  for (const command of first) await own.ctl(...command);
  const login = { host: "127.0.0.1", port: own.port, password: "a long random password", vhost: "threatbus" };
  const sensor = { ...login, username: "sensor1", queue: { name_suffix: "sensor1" } };
  const { inq, record, plugin } = await start(t, sensor);
  assert.equal(plugin.state?.ok, true, plugin.state?.text);
  const queue = await record();
  await inq.putMany(series(10));
  await eventually("messages with the least rights", () => queue.count === 10);
  assert.match(await own.ctl("list_queues", "-p", "threatbus", "name", "policy"), /threatbus\.sensor1\tthreatbus-size/);
  const url = `amqp://sensor1:${encodeURIComponent(login.password)}@127.0.0.1:${own.port}/threatbus`;
  const forbidden = (await openChannel(t, url)).queueDeclare({ queue: "threatbus.other" });
  await assert.rejects(forbidden, { code: "ACCESS_REFUSED" });
  // What an instance of 2022.5 does, with its user.
  const python = await openChannel(t, url.replace("sensor1", "python"));
  await python.exchangeDeclare({ exchange: "threatbus", type: "fanout" });
  await python.queueDeclare({ queue: "threatbus.python", durable: true, arguments: { "x-queue-mode": "lazy" } });
  await python.queueBind({ exchange: "threatbus", queue: "threatbus.python" });
  const heard: unknown[] = [];
  await python.basicConsume({ queue: "threatbus.python", noAck: true }, (message) => heard.push(message));
  await python.basicPublish({ exchange: "threatbus" }, indicator().bytes);
  await eventually("its message, here and there", () => queue.count === 11 && heard.length === 1);
  await assert.rejects(python.queueDeclare({ queue: "threatbus.sensor1", durable: true }), { code: "ACCESS_REFUSED" });
  await plugin.stop();
  for (const command of commands.filter(isLast)) await own.ctl(...command);
});

/** Each right of each kind on each name is needed: without one, the instance does not get ready. */
test("none of the documented rights is too much", options, async (t) => {
  const { exchange, suffix, queue } = names();
  const all = [exchange, `${exchange}.durable`, queue];
  await server().ctl("add_user", "less", "pw");
  const { plugin, inq, logger } = await start(t, {
    ...settings({ host: "127.0.0.1", port: server().port, username: "less", password: "pw", heartbeat: "1s" }),
    exchange_name: exchange,
    queue: { name_suffix: suffix },
    reconnect_max: "100ms",
  });
  const pattern = (granted: readonly string[]) => `^(${granted.map((name) => name.replaceAll(".", "\\.")).join("|")})$`;
  const grant = (rights: readonly (readonly string[])[]) =>
    server().ctl("set_permissions", "less", ...rights.map(pattern));
  for (const kind of [0, 1, 2]) {
    for (const missing of all) {
      await grant([0, 1, 2].map((each) => (each === kind ? all.filter((name) => name !== missing) : all)));
      // Nobody of its own reads: what it sends is refused, or its preparations are.
      await plugin.subscribe("stix2", {
        name: "none",
        filter: undefined,
        size: 0,
        offer: () => undefined,
        room: () => undefined,
      });
      await inq.putMany(series(1));
      const refusals = () =>
        logger.lines.filter(({ fields }) => JSON.stringify(fields).includes("ACCESS_REFUSED")).length;
      const before = refusals();
      await server().ctl("close_all_user_connections", "less", "test");
      await eventually(
        `refused without ${["configure", "write", "read"][kind]} on ${missing}`,
        () => refusals() > before,
      );
    }
  }
  await grant([all, all, all]);
  await eventually("ready with all of them", () => plugin.state?.ok === true);
});
