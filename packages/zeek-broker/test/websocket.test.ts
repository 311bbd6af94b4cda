import assert from "node:assert/strict";
import { createServer } from "node:net";
import { suite, type TestContext, test } from "node:test";
import { Value, WebSocketClient, type WebSocketNotice, type WebSocketOptions, type ZeekEvent } from "../src/index.ts";
import { decodeServerMessage } from "../src/websocket/message.ts";
import { identity, numbered, numberOf, until } from "./support.ts";
import { readTranscript } from "./vectors.ts";
import { FakeZeek } from "./websocket-server.ts";

const OPTIONS = { timeout: 20_000 };

/** A client that keeps what it hears, closed when the test is over. */
function listen(t: TestContext, options: Omit<WebSocketOptions, "topics"> & { topics?: string[] }) {
  const events: { topic: string; event: ZeekEvent }[] = [];
  const notices: WebSocketNotice[] = [];
  const client = new WebSocketClient({
    topics: ["stix2/sighting", "threatbus/manage"],
    onEvent: (topic, event) => events.push({ topic, event }),
    onNotice: (notice) => notices.push(notice),
    farewellTimeout: 500,
    ...options,
  });
  t.after(() => client.close());
  return { client, events, notices };
}

suite("WebSocket client", OPTIONS, () => {
  test("the recorded session with Zeek 8.0.10, frame by frame", async (t) => {
    const zeek = await FakeZeek.start(t);
    zeek.isAcknowledging = false;
    const { client, events, notices } = listen(t, { url: zeek.url, application: "threatbus" });
    const sent: string[] = [];
    for (const { from, text } of readTranscript()) {
      if (from === "zeek") {
        await until(() => zeek.received.length === sent.length);
        zeek.client.send(text);
      } else if (text.startsWith("[")) sent.push(text);
      else if (text.includes('"data"')) {
        // The transcript has messages, too, that this client cannot be made to send.
        await client.writable();
        const message = decodeServerMessage(text);
        assert.ok(message.type === "data-message");
        const [, , body] = message.value.type === "vector" ? message.value.value : [];
        const [name, args] = body?.type === "vector" ? body.value : [];
        assert.ok(name?.type === "string" && typeof name.value === "string" && args?.type === "vector");
        assert.equal(client.publish(message.topic, { name: name.value, args: args.value }), "sent");
        sent.push(text);
      }
    }
    await until(() => events.length === 2 && zeek.received.length === sent.length);
    assert.deepEqual(zeek.received, sent);
    assert.equal(zeek.requests[0]?.headers["x-application-name"], "threatbus");
    assert.equal(zeek.requests[0]?.url, "/v1/messages/json");
    assert.deepEqual(
      events.map(({ event }) => event.name),
      ["Tenzir::sighting", "Tenzir::everything"],
    );
    assert.deepEqual(events[1]?.event.args[4], Value.count(2n ** 64n - 1n));
    const errors = notices.filter((notice) => notice.type === "error");
    assert.deepEqual(
      errors.map(({ context }) => context),
      [
        "failed to decode JSON object",
        "failed to decode JSON object",
        "failed to create Zeek event",
        "failed to create Zeek event",
      ],
    );
    assert.deepEqual(errors[0]?.recent, [
      { topic: "stix2/indicator", name: "Tenzir::nosuch" },
      { topic: "stix2/indicator", name: "Tenzir::intel" },
    ]);
    assert.equal(client.isConnected, true);
  });

  test("nothing is sent before the ack", async (t) => {
    const zeek = await FakeZeek.start(t);
    zeek.isAcknowledging = false;
    const { client } = listen(t, { url: zeek.url });
    await until(() => zeek.received.length === 1);
    assert.equal(client.publish("x", numbered(1)), "disconnected");
    zeek.client.send('{"type":"ack","endpoint":"e","version":"v"}');
    await client.writable();
    assert.equal(client.publish("x", numbered(1)), "sent");
    await until(() => zeek.received.length === 2);
  });

  test("it connects again, and subscribes again, when Zeek was restarted", async (t) => {
    const first = await FakeZeek.start(t);
    const { client, notices, events } = listen(t, { url: first.url });
    await client.writable();
    await first.stop();
    await until(() => notices.some((notice) => notice.type === "disconnected" && notice.wasConnected));
    assert.equal(client.isConnected, false);
    const writable = client.writable();
    const second = await FakeZeek.start(t, { port: first.port });
    await writable;
    assert.deepEqual(second.received, ['["stix2/sighting","threatbus/manage"]']);
    second.client.send('{"type":"data-message","topic":"x","@data-type":"vector","data":[]}');
    second.client.send('{"type":"later"}');
    const [, , example] = readTranscript().filter(({ from }) => from === "threatbus");
    assert.ok(example !== undefined);
    await until(() => notices.filter((notice) => notice.type === "ignored").length === 2);
    assert.equal(events.length, 0);
    const lost = notices.filter((notice) => notice.type === "disconnected");
    assert.ok(lost.every(({ retryIn }) => retryIn !== undefined));
  });

  const breaches: [name: string, frame: string | Buffer][] = [
    ["what is not JSON", "How is it going?"],
    ["a value that is none", '{"type":"data-message","topic":"x","@data-type":"count","data":-1}'],
    ["a binary frame", Buffer.from("[]")],
  ];
  for (const [name, frame] of breaches) {
    test(`${name} ends the connection, and another one begins`, async (t) => {
      const zeek = await FakeZeek.start(t);
      const { client, notices } = listen(t, { url: zeek.url });
      await client.writable();
      zeek.client.send(frame);
      await until(() => notices.some((notice) => notice.type === "disconnected" && notice.reason === "bad-message"));
      await client.writable();
      assert.equal(zeek.clients.length, 2);
    });
  }

  test("a message over the limit ends the connection", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client, notices } = listen(t, { url: zeek.url, maxPayload: 1_000 });
    await client.writable();
    zeek.client.send("x".repeat(1_001));
    await until(() => notices.some((notice) => notice.type === "disconnected" && notice.error !== undefined));
  });

  test("a server that says nothing is given up, at each step", async (t) => {
    const mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    t.after(() => mute.close());
    const address = mute.address();
    assert.ok(address !== null && typeof address === "object");
    const zeek = await FakeZeek.start(t);
    zeek.isAcknowledging = false;
    for (const url of [`ws://127.0.0.1:${address.port}`, zeek.url]) {
      const { notices } = listen(t, { url, connectTimeout: 50 });
      await until(() =>
        notices.some((notice) => notice.type === "disconnected" && notice.reason === "connect-timeout"),
      );
    }
  });

  test("a server that does not answer heartbeats is given up", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client, notices } = listen(t, { url: zeek.url, heartbeat: { interval: 10, timeout: 20 } });
    await client.writable();
    zeek.client.pause();
    await until(() => notices.some((notice) => notice.type === "disconnected" && notice.reason === "unresponsive"));
  });

  test("a refused connection is tried again", async (t) => {
    const { notices } = listen(t, { url: "ws://127.0.0.1:1" });
    const failures = () => notices.filter((each) => each.type === "disconnected" && each.reason === "connect-failed");
    await until(() => failures().length === 2);
  });

  test("a server that closes as soon as it has acknowledged is tried less and less often", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { notices } = listen(t, {
      url: zeek.url,
      onNotice: (notice) => {
        notices.push(notice);
        if (notice.type === "connected") zeek.client.close(1008);
      },
    });
    const delays = () => notices.flatMap((notice) => (notice.type === "disconnected" ? [notice.retryIn ?? 0] : []));
    await until(() => delays().some((delay) => delay >= 300));
  });

  test("messages in flight are bounded, and none is lost", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client } = listen(t, { url: zeek.url, maxInFlight: 50 });
    await client.writable();
    zeek.client.pause();
    let sent = 0;
    while (client.publish("n", numbered(sent)) === "sent") sent += 1;
    assert.equal(sent, 50);
    assert.equal(client.publish("n", numbered(sent)), "full");
    zeek.client.resume();
    while (sent < 10_000) {
      if (client.publish("n", numbered(sent)) === "sent") sent += 1;
      else await client.writable();
    }
    await until(() => zeek.received.length === 1 + sent);
  });

  test("bytes that Zeek does not take are bounded", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client } = listen(t, { url: zeek.url, maxInFlight: 100_000, highWaterMark: 100_000 });
    await client.writable();
    zeek.client.pause();
    const event = { name: "x", args: [Value.string("x".repeat(64 * 1024))] };
    let sent = 0;
    while (client.publish("n", event) === "sent") sent += 1;
    assert.ok(sent < 512, `${sent} messages of 64 KiB`);
    zeek.client.resume();
    await client.writable();
    assert.equal(client.publish("n", event), "sent");
    await until(() => zeek.received.length === sent + 2);
  });

  test("a client that is paused reads later", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client, events } = listen(t, { url: zeek.url });
    await client.writable();
    client.pause();
    const [sighting] = readTranscript().filter(({ text }) => text.includes("Tenzir::sighting"));
    zeek.client.send(sighting?.text ?? assert.fail());
    await new Promise<void>((resolve) => zeek.client.send(sighting?.text ?? "", () => resolve()));
    assert.equal(events.length, 0);
    client.resume();
    await until(() => events.length === 2);
  });

  test("close() sends what is waiting, and settles those who wait", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client, notices } = listen(t, { url: zeek.url, maxInFlight: 100 });
    await client.writable();
    let sent = 0;
    while (client.publish("n", numbered(sent)) === "sent") sent += 1;
    const waiting = assert.rejects(client.writable(), { code: "CLOSED" });
    await client.close();
    await waiting;
    await until(() => zeek.received.length === 1 + sent);
    assert.equal(client.publish("n", numbered(1)), "closed");
    assert.deepEqual(notices.at(-1), { type: "disconnected", reason: "closed", wasConnected: true, code: 1000 });
    await client.close();
  });

  test("close() while it waits for the next attempt", async (t) => {
    const { client, notices } = listen(t, { url: "ws://127.0.0.1:1" });
    await until(() => notices.length === 1);
    await client.close();
    assert.equal(notices.length, 1);
  });

  test("TLS: the server's certificate is verified, and a client certificate shown", async (t) => {
    const zeek = await FakeZeek.start(t, { tls: identity("a") });
    const { cert, key, ca } = identity("b");
    const { client } = listen(t, { url: zeek.url, tls: { cert, key, ca } });
    await client.writable();
    const { notices } = listen(t, { url: zeek.url, tls: { cert, key } });
    await until(() => notices.some((notice) => notice.type === "disconnected" && notice.error !== undefined));
    const { notices: anonymous } = listen(t, { url: zeek.url, tls: { ca } });
    await until(() => anonymous.some((notice) => notice.type === "disconnected" && !notice.wasConnected));
  });

  test("options that cannot be meant", () => {
    for (const url of ["http://127.0.0.1", "nonsense"]) {
      assert.throws(() => new WebSocketClient({ url, topics: [] }), /URL/);
    }
    assert.throws(() => new WebSocketClient({ url: "ws://h", topics: [], maxInFlight: 0 }), RangeError);
  });

  test("events arrive with their arguments", async (t) => {
    const zeek = await FakeZeek.start(t);
    const { client, events } = listen(t, { url: zeek.url });
    await client.writable();
    client.publish("n", numbered(7));
    await until(() => zeek.received.length === 2);
    zeek.client.send(zeek.received[1] ?? "");
    await until(() => events.length === 1);
    assert.equal(numberOf(events[0]?.event ?? assert.fail()), 7);
  });
});
