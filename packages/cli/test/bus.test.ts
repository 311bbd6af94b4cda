import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { busConfig, configFolder, GOOD, type Running, run, start, startBus } from "./command.ts";

/** Publishes nothing before the bus knows of the subscriber. */
async function subscribed(bus: Running): Promise<void> {
  await bus.seen(/app subscribed/);
}

test("what is published arrives as it was written; refused objects are reported with their lines", async (t) => {
  const { bus, manage } = await startBus(t);
  const subscriber = start(t, ["subscribe", "stix2", "--manage", manage, "--count", "3"]);
  await subscribed(bus);
  const line = JSON.stringify(GOOD).replace("{", '{"x_big": 12345678901234567890, ');
  const sighting = JSON.stringify({ type: "sighting", spec_version: "2.1", sighting_of_ref: GOOD.id });
  const bundle = `{"type": "bundle", "id": "bundle--1", "objects": [${line}, ${sighting}]}`;
  const input = [line, JSON.stringify({ ...GOOD, pattern: "[" }), "no json", bundle].join("\n");
  const publisher = await run(t, ["publish", "-", "--manage", manage], { input });
  assert.equal(publisher.code, 1);
  const [second = "", third = "", summary = ""] = publisher.stderr.split("\n");
  assert.match(second, /^line 2: .+ at "\/pattern", rule pattern\.syntax/);
  assert.match(third, /^line 3: .+, rule json\.syntax/);
  assert.equal(summary, "3 published, 2 rejected");

  const { code, stdout, stderr } = await subscriber.ended;
  assert.deepEqual([code, stderr], [0, ""]);
  const received = stdout.trimEnd().split("\n");
  assert.deepEqual(received.slice(0, 2), [line, line]);
  const { type, sighting_of_ref } = JSON.parse(received[2] ?? "");
  assert.deepEqual([type, sighting_of_ref], ["sighting", GOOD.id]);
});

test("subscribe prints what a filter lets through, readable for a person", async (t) => {
  const { bus, manage } = await startBus(t);
  const filter = '{"object_paths": ["domain-name:value"]}';
  const args = ["subscribe", "stix2/indicator", "--manage", manage, "--filter", filter, "--format", "pretty"];
  const subscriber = start(t, [...args, "--count", "1"]);
  await subscribed(bus);
  const domain = { ...GOOD, pattern: "[domain-name:value = 'example.com']", name: "bad \u001b[31mname" };
  const input = [GOOD, domain].map((each) => JSON.stringify(each)).join("\n");
  const publisher = await run(t, ["publish", "-", "--manage", manage], { input });
  assert.deepEqual(publisher, { code: 0, stdout: "", stderr: "" });
  const { stdout } = await subscriber.ended;
  assert.match(stdout, /^\S+ {2}indicator {2}\[domain-name:value = 'example\.com'\] .*bad \\u001b\[31mname\n$/);
});

test("an interrupted subscription ends with 0, and with 130 where messages are missing", async (t) => {
  for (const [args, expected] of [
    [[], 0],
    [["--count", "1"], 130],
  ] as const) {
    const { bus, manage } = await startBus(t);
    const subscriber = start(t, ["subscribe", "stix2", "--manage", manage, ...args]);
    await subscribed(bus);
    subscriber.kill("SIGINT");
    assert.equal((await subscriber.ended).code, expected);
  }
});

test("an interrupted publish keeps what it has published, and ends with 130", async (t) => {
  const { bus, manage } = await startBus(t);
  const subscriber = start(t, ["subscribe", "stix2", "--manage", manage, "--count", "1"]);
  await subscribed(bus);
  const input = `${JSON.stringify(GOOD)}\nno json\n`;
  const publisher = start(t, ["publish", "-", "--manage", manage], { input, inputStaysOpen: true });
  await publisher.seen(/^line 2: /m);
  assert.equal((await subscriber.ended).stdout, `${JSON.stringify(GOOD)}\n`);
  publisher.kill("SIGINT");
  const { code, stderr } = await publisher.ended;
  assert.equal(code, 130);
  assert.match(stderr, /\n1 published, 1 rejected\n$/);
});

test("without a bus publish and subscribe say so and end with 1", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  await new Promise((resolve) => server.close(resolve));
  const options = ["--manage", String(address.port), "--timeout", "0.2"];
  const publisher = await run(t, ["publish", "-", ...options], { input: JSON.stringify(GOOD) });
  const subscriber = await run(t, ["subscribe", "stix2", ...options]);
  for (const { code, stderr } of [publisher, subscriber]) {
    assert.equal(code, 1);
    assert.match(stderr, /^threatbus: .*Threat Bus runs.*\n$/);
  }
});

test("a topic that no message has is warned of", async (t) => {
  const { bus, manage } = await startBus(t);
  const subscriber = start(t, ["subscribe", "stix2/indicators", "stix2/s", "--manage", manage]);
  await subscribed(bus);
  subscriber.kill("SIGTERM");
  const { code, stdout, stderr } = await subscriber.ended;
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /^warning: .*"stix2\/indicators" \(there are stix2\/indicator, stix2\/sighting\)\n$/);
});

test("SIGTERM, SIGINT and SIGHUP end the bus with 0, and its last line counts what was not delivered", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const { bus } = await startBus(t);
    bus.kill(signal);
    const { code, stderr } = await bus.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr.trimEnd().split("\n").at(-1) ?? "", /stopped undelivered=0$/);
  }
});

test("a port in use ends the bus with 1 and one line that names port and setting", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const cwd = await configFolder(t, busConfig({ pub: address.port }));
  const { code, stderr } = await run(t, ["run"], { cwd });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^threatbus: .*port ${address.port} \\(setting plugins\\.apps\\.zmq\\.pub\\).*\\n$`));
});

test("the demo shows each step and ends with 0", async (t) => {
  const { code, stdout, stderr } = await run(t, ["demo"]);
  assert.equal(code, 0, stderr);
  for (const number of [1, 2, 3, 4, 5]) assert.match(stdout, new RegExp(`^${number}\\. `, "m"));
  assert.match(stdout, /answering with 4/);
  assert.match(stdout, /delivered +to 1 of 1/);
  assert.match(stdout, /sighted +1 time by zmq/);
  assert.match(stdout, /8 indicators went out, 4 sightings came back/);
  assert.match(stdout, /threatbus subscribe/);
});

test("demo --zeek shows the same with Zeek, or says that it is a stand-in", async (t) => {
  const { code, stdout, stderr } = await run(t, ["demo", "--zeek"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^3\. Start (Zeek \d|a stand-in for Zeek \(there is no zeek on PATH\)):/m);
  assert.match(stdout, /8 indicators went out, 4 sightings came back/);
});

test("demo --keep leaves a bus to join, until ctrl-C", async (t) => {
  const demo = start(t, ["demo", "--keep"]);
  const [, manage = ""] = await demo.seen(/threatbus publish FILE --manage (\d+)/);
  const published = await run(t, ["publish", "-", "--manage", manage], { input: JSON.stringify(GOOD) });
  assert.equal(published.code, 0);
  await demo.seen(/sighting received: indicator--46b3f973/);
  demo.kill("SIGINT");
  assert.equal((await demo.ended).code, 0);
});
