/** Whatever comes in at the three ports, the bus goes on for everybody else. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { Request, XPublisher, XSubscriber } from "zeromq";
import { indicator } from "../interop/support/objects.ts";
import { eventually } from "../interop/support/wait.ts";
import { type Bus, records, startBus, stopCleanly, total } from "./support/bus.ts";
import { app, nextText } from "./support/client.ts";

const host = "tcp://127.0.0.1";
const DEEP = "[".repeat(50_000) + "]".repeat(50_000);
const NOT_UTF8 = Buffer.from([0x22, 0xc3, 0x28, 0xff, 0x22]);
const BINARY = Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 37) % 256));

/** Good traffic before and after: the same bus, apps that were there already, and new ones. */
async function surrounded(t: TestContext, bus: Bus, disturb: () => Promise<void>): Promise<void> {
  const client = app(t, bus, "good");
  const subscription = client.subscribe("stix2");
  await subscription.ready();
  const before = indicator("198.51.100.20");
  await client.publish(before);
  assert.equal(await nextText(subscription), before);
  await disturb();
  const fresh = app(t, bus, "fresh").subscribe("stix2");
  await fresh.ready();
  const after = indicator("198.51.100.21");
  await client.publish(after);
  // The very next message: nothing bad got through.
  assert.equal(await nextText(subscription), after);
  assert.equal(await nextText(fresh), after);
  await stopCleanly(bus);
}

test("bad requests at the management port are each answered with an error", async (t) => {
  const bus = await startBus(t);
  const topics = DEEP.slice(0, 40_000);
  const requests: (string | Buffer)[] = [
    "",
    "not JSON",
    "null",
    "[]",
    '{"action":"subscribe"}',
    '{"action":"dance","topic":"stix2"}',
    '{"action":"subscribe","topic":"stix2","snapshot":{}}',
    `{"action":"subscribe","topic":${topics}`,
    `{"action":"subscribe","topic":"${"x".repeat(2_000)}"}`,
    `{"action":"subscribe","topic":"stix2","filter":{"min_confidence":1000}}`,
    DEEP,
    "x".repeat(300_000),
    "x".repeat(20 * 1_048_576),
    NOT_UTF8,
    BINARY,
  ];
  await surrounded(t, bus, async () => {
    const socket = new Request({ linger: 0, receiveTimeout: 10_000 });
    t.after(() => socket.close());
    socket.connect(`${host}:${bus.ports.manage}`);
    for (const request of requests) {
      await socket.send(request);
      const [reply] = await socket.receive();
      const { status } = JSON.parse(String(reply)) as { status: string };
      assert.ok(status === "error" || status === "unknown request", `${String(request).slice(0, 80)}: ${reply}`);
    }
  });
});

test("bad messages at the port for publishers are each counted and logged", async (t) => {
  const bus = await startBus(t, { zmq: { max_message_bytes: 1_048_576 } });
  const topic = "stix2/indicator ";
  const frames: (string | Buffer | string[])[] = [
    `${topic}not JSON`,
    `${topic}{"type":"indicator"}`,
    topic + DEEP,
    `${topic}${indicator("198.51.100.22").slice(0, -1)},"x_deep":${DEEP}}`,
    topic + indicator("198.51.100.23", { description: "x".repeat(1_060_000) }),
    topic + indicator("198.51.100.25", { description: "x".repeat(20 * 1_048_576) }),
    Buffer.concat([Buffer.from(topic), NOT_UTF8]),
    Buffer.concat([Buffer.from(topic), BINARY]),
    BINARY,
    "nospace",
    "threatbus/snapshotenvelope {}",
    ["stix2/indicator", indicator("198.51.100.24")],
    "",
  ];
  await surrounded(t, bus, async () => {
    const socket = new XPublisher({ linger: 1_000, receiveTimeout: 10_000 });
    t.after(() => socket.close());
    socket.connect(`${host}:${bus.ports.sub}`);
    // The bus has subscribed: from here on nothing is lost on the way.
    await socket.receive();
    for (const frame of frames) await socket.send(frame);
    const rejected = () => total(bus.child, "count", ({ from }) => from === "app");
    await eventually("all rejections in the log", () => (rejected() >= frames.length ? true : undefined));
    assert.equal(rejected(), frames.length);
    const closed = records(bus.child).find(({ connection }) => connection === "sub");
    assert.equal(closed, undefined, "a bad message costs its app no connection");
  });
});

test("bad messages at the port for subscribers change nothing", async (t) => {
  const bus = await startBus(t);
  await surrounded(t, bus, async () => {
    const socket = new XSubscriber({ linger: 1_000 });
    t.after(() => socket.close());
    socket.connect(`${host}:${bus.ports.pub}`);
    for (const message of [
      "not a subscription",
      DEEP,
      NOT_UTF8,
      BINARY,
      "\x01unknown-topic",
      `\x01${"x".repeat(70_000)}`,
    ])
      await socket.send(message);
  });
});

test("bytes that are no ZeroMQ at all end the connection, on every port", async (t) => {
  const bus = await startBus(t);
  const greeting = Buffer.alloc(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  greeting.write("NULL", 12);
  // A command of 2^63 bytes straight after the greeting.
  const endless = Buffer.concat([greeting, Buffer.from([6, 0x7f, 255, 255, 255, 255, 255, 255, 255])]);
  await surrounded(t, bus, async () => {
    for (const port of Object.values(bus.ports))
      for (const bytes of [Buffer.from("GET / HTTP/1.1\r\nHost: bus\r\n\r\n"), BINARY, endless]) {
        const socket = connect(port, "127.0.0.1");
        // The bus may reset the connection while bytes are on their way.
        socket.on("error", () => {});
        socket.resume();
        socket.write(bytes);
        await once(socket, "close");
      }
  });
});
