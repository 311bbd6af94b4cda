import assert from "node:assert/strict";
import { test } from "node:test";
import { Publisher, Request, Subscriber } from "zeromq";
import { type Harness, startPlugin } from "./harness.ts";
import { indicatorJson, sightingJson, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

const endpoint = (harness: Harness, port: keyof Harness["ports"]) => `tcp://127.0.0.1:${harness.ports[port]}`;

test("an app on libzmq subscribes, receives, beats, publishes and unsubscribes", async (t) => {
  const harness = await startPlugin(t);
  const request = new Request();
  const subscriber = new Subscriber({ receiveHighWaterMark: 0 });
  const publisher = new Publisher({ sendHighWaterMark: 0 });
  t.after(() => [request, subscriber, publisher].map((socket) => socket.close()));
  const ask = async (body: object) => {
    await request.send(JSON.stringify(body));
    const [reply] = await request.receive();
    return JSON.parse(String(reply)) as Record<string, unknown>;
  };
  request.connect(endpoint(harness, "manage"));
  const { topic, ...rest } = await ask({ action: "subscribe", topic: ["stix2/indicator", "stix2"], snapshot: 0 });
  assert.deepEqual(rest, { pub_port: harness.ports.pub, sub_port: harness.ports.sub, status: "success" });

  const sent = Array.from({ length: 20_000 }, (_, number) => stixMessage(indicatorJson({ x_number: number })));
  for (const message of sent.slice(0, 5_000)) harness.deliver(message);
  subscriber.connect(endpoint(harness, "pub"));
  subscriber.subscribe(String(topic));
  const received: string[] = [];
  for (const message of sent.slice(5_000, 10_000)) harness.deliver(message);
  while (received.length < 10_000) received.push(String((await subscriber.receive())[0]));
  for (const message of sent.slice(10_000)) harness.deliver(message);
  while (received.length < 20_000) received.push(String((await subscriber.receive())[0]));
  assert.deepEqual(
    received,
    sent.map(({ bytes }) => `${topic}indicator ${bytes}`),
  );

  publisher.connect(endpoint(harness, "sub"));
  // A libzmq PUB drops what it sends before it knows our subscription: it tries until the first message is through.
  await until("a connected publisher", async () => {
    await publisher.send(`stix2/sighting ${sightingJson()}`);
    return harness.received.length > 0;
  });
  const texts = Array.from({ length: 20_000 }, () => sightingJson());
  for (const text of texts) await publisher.send(`stix2/sighting ${text}`);
  const last = texts.at(-1);
  await until("the last message", () => harness.received.at(-1)?.bytes.toString() === last);
  assert.deepEqual(
    harness.received.slice(-texts.length).map(({ bytes }) => bytes.toString()),
    texts,
  );

  assert.deepEqual(await ask({ action: "heartbeat", topic }), { status: "success" });
  assert.deepEqual(await ask({ action: "unsubscribe", topic }), { status: "success" });
  assert.equal((await ask({ action: "heartbeat", topic })).status, "error");
});

test("a libzmq app whose socket closes is forgotten after linger", async (t) => {
  const harness = await startPlugin(t, { config: { linger: "20ms" } });
  const request = new Request();
  t.after(() => request.close());
  request.connect(endpoint(harness, "manage"));
  await request.send('{"action":"subscribe","topic":"stix2"}');
  const { topic } = JSON.parse(String((await request.receive())[0])) as { readonly topic: string };
  const subscriber = new Subscriber();
  subscriber.connect(endpoint(harness, "pub"));
  subscriber.subscribe(topic);
  harness.deliver(stixMessage(indicatorJson()));
  await subscriber.receive();
  subscriber.close();
  await until("the end of the subscription", () => harness.outqs.size === 0);
});
