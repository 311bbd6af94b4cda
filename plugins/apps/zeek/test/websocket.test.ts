import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { collect, eventually } from "@threatbus/testkit";
import { domainMessage, type FakeBus } from "./bus.ts";
import { Harness, startPlugin } from "./harness.ts";
import { WebSocketZeek } from "./websocket-zeek.ts";

const INDICATOR = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";
const file = (name: string) =>
  fileURLToPath(new URL(`../../../../packages/zeek-broker/test/certificates/${name}`, import.meta.url));

function deliver(bus: FakeBus, from: number, to: number): void {
  for (let number = from; number < to; number += 1) bus.deliver(domainMessage(`${number}.example`));
}

const values = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `${from + at}.example`);

test("over WebSocket the same events pass: an indicator goes out, its sighting comes back", async (t) => {
  const zeek = await WebSocketZeek.start(t, { snapshot: 60 });
  const { bus } = await startPlugin(t, { config: { websocket: [{ url: zeek.url }] } });
  await eventually("the acknowledgement", () => zeek.p2pTopics.length === 1);
  assert.deepEqual(zeek.prefixes, [["stix2/sighting", "threatbus/manage"]]);
  assert.deepEqual(zeek.applications, ["threatbus"]);
  assert.match(zeek.p2pTopics.join(), /^stix2\/indicator[a-z]{10}$/);
  assert.deepEqual(bus.calls, [{ bus_subscribe: "stix2/indicator", snapshot_seconds: 60 }]);
  deliver(bus, 0, 5_000);
  await eventually("the indicators", () => zeek.received.length === 5_000);
  assert.deepEqual(zeek.received, values(0, 5_000));
  await eventually("the acknowledgements", () => bus.unfinished === 0);
  zeek.sight(INDICATOR);
  const [message] = await collect(bus.inq, 1);
  const sighting = JSON.parse(String(message?.bytes));
  assert.equal(sighting.sighting_of_ref, INDICATOR);
  assert.equal(sighting.x_threatbus_source, "zeek:manager");
});

test("topics and least history come from the configuration", async (t) => {
  const zeek = await WebSocketZeek.start(t);
  const websocket = [{ url: zeek.url, topics: ["stix2/", "threatbus/"], snapshot: "1h" }];
  const { bus } = await startPlugin(t, { config: { websocket } });
  await eventually("the acknowledgement", () => zeek.p2pTopics.length === 1);
  assert.deepEqual(zeek.prefixes, [["stix2/", "threatbus/"]]);
  assert.deepEqual(bus.calls, [{ bus_subscribe: "stix2/indicator", snapshot_seconds: 3_600 }]);
});

test("an event that Zeek refuses is counted and said, and the connection stays", async (t) => {
  const zeek = await WebSocketZeek.start(t, { refuses: "1.example" });
  const { bus } = await startPlugin(t, { config: { websocket: [{ url: zeek.url }] } });
  await eventually("the acknowledgement", () => zeek.p2pTopics.length === 1);
  deliver(bus, 0, 3);
  await eventually("the others", () => zeek.received.length === 2);
  await eventually(
    "the count",
    async () => (await bus.metric("threatbus_messages_dropped_total", "refused-by-zeek")) === 1,
  );
  assert.equal(zeek.clients.length, 1);
  const line = bus.log.lines.find(({ fields }) => "reason" in fields && fields.reason === "refused-by-zeek");
  assert.match(JSON.stringify(line), /failed to create Zeek event; sent lately: .*Tenzir::intel on stix2/);
});

test("a connection that is lost comes back, and what had not arrived arrives", async (t) => {
  const zeek = await WebSocketZeek.start(t);
  const { bus } = await startPlugin(t, { config: { websocket: [{ url: zeek.url }] } });
  await eventually("the acknowledgement", () => zeek.p2pTopics.length === 1);
  deliver(bus, 0, 8_000);
  await eventually("the first", () => zeek.received.length >= 500);
  zeek.client?.terminate();
  await eventually("the rest", () => zeek.received.at(-1) === "7999.example");
  await eventually("the acknowledgements", () => bus.unfinished === 0);
  assert.deepEqual([...new Set(zeek.received)], values(0, 8_000));
  assert.equal(zeek.clients.length, 2);
  assert.equal(bus.outqs.size, 1);
  assert.equal(bus.lost, 0);
});

test("a Zeek that is not there yet, and one that is started again, are connected to", async (t) => {
  const first = await WebSocketZeek.start(t);
  await first.stop();
  const { bus } = await startPlugin(t, { config: { websocket: [{ url: first.url }], linger: "10s" } });
  const failed = () => bus.metric("threatbus_zeek_connections_closed_total", "connect-failed");
  await eventually("a failure", async () => (await failed()) > 0);
  const second = await WebSocketZeek.start(t, { port: first.port });
  await eventually("the acknowledgement", () => second.p2pTopics.length === 1);
  await second.stop();
  const third = await WebSocketZeek.start(t, { port: first.port });
  await eventually("the next acknowledgement", () => third.p2pTopics.length === 1);
  deliver(bus, 0, 3);
  await eventually("the indicators", () => third.received.length === 3);
  assert.equal(bus.outqs.size, 1);
});

test("a Zeek that does not read delays nobody, and what is on its way is bounded", async (t) => {
  const stuck = await WebSocketZeek.start(t);
  const reading = await WebSocketZeek.start(t);
  const { bus } = await startPlugin(t, { config: { websocket: [{ url: stuck.url }, { url: reading.url }] } });
  await eventually("both", () => stuck.p2pTopics.length + reading.p2pTopics.length === 2);
  stuck.client?.pause();
  await bus.deliverAll(10_000, (index) => domainMessage(`${index}.example`));
  await eventually("all at the one that reads", () => reading.received.length === 10_000);
  // Once the one that reads has acknowledged everything, what is left is on its way to the other.
  await eventually("one window", async () => (await bus.metric("threatbus_zeek_in_flight")) <= 1_000);
  stuck.client?.resume();
  await eventually("all at the other", () => stuck.received.length === 10_000);
  assert.equal(bus.lost, 0);
});

test("wss: the server's certificate is checked with the CA that is named", async (t) => {
  const tls = { cert: readFileSync(file("a.pem")), key: readFileSync(file("a.key")) };
  const zeek = await WebSocketZeek.start(t, { tls });
  const { bus } = await startPlugin(t, { config: { websocket: [{ url: zeek.url, ca: file("ca.pem") }] } });
  await eventually("the acknowledgement", () => zeek.p2pTopics.length === 1);
  deliver(bus, 0, 1);
  await eventually("the indicator", () => zeek.received.length === 1);
  const distrusting = await startPlugin(t, { config: { websocket: [{ url: zeek.url }] } });
  const failed = () => distrusting.bus.metric("threatbus_zeek_connections_closed_total", "connect-failed");
  await eventually("the refusal", async () => (await failed()) > 0);
  assert.equal(zeek.clients.length, 1);
});

test("a CA that cannot be read is an error that names the setting", async () => {
  const websocket = [{ url: "wss://127.0.0.1:1/", ca: file("missing.pem") }];
  const harness = new Harness({ config: { websocket } });
  await assert.rejects(harness.start(), /plugins\.apps\.zeek\.websocket\.0\.ca cannot be read: ENOENT/);
});
