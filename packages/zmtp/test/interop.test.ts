import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import * as zmq from "zeromq";
import { type Address, Pub, Rep, Req, Sub, Xpub } from "../src/index.ts";
import { closing, LOOPBACK, RawPeer, recorder, until } from "./support.ts";

const TIMEOUT = { timeout: 30_000 };

function url({ host, port }: Address): string {
  return `tcp://${host}:${port}`;
}

function addressOf(endpoint: string | null): Address {
  return { host: "127.0.0.1", port: Number(endpoint?.split(":").at(-1)) };
}

/** Has a libzmq socket closed when the test is over. */
function foreign<T extends { close(): void }>(t: TestContext, socket: T): T {
  t.after(() => socket.close());
  return socket;
}

test("a libzmq REQ is answered by our REP", TIMEOUT, async (t) => {
  const rep = closing(t, new Rep());
  const address = await rep.bind(LOOPBACK);
  rep.serve((frames) => Buffer.concat([Buffer.from("re:"), ...frames]));
  const req = foreign(t, new zmq.Request());
  req.connect(url(address));
  for (let i = 0; i < 100; i++) {
    await req.send([`a${i}`, "b"]);
    assert.equal(String((await req.receive())[0]), `re:a${i}b`);
  }
});

test("a libzmq DEALER gets its envelope back", TIMEOUT, async (t) => {
  const rep = closing(t, new Rep());
  const address = await rep.bind(LOOPBACK);
  rep.serve(async ([body]) => body ?? Buffer.alloc(0));
  const dealer = foreign(t, new zmq.Dealer());
  dealer.connect(url(address));
  for (const id of ["1", "2", "3"]) await dealer.send([id, "", `question ${id}`]);
  for (const id of ["1", "2", "3"]) {
    assert.deepEqual((await dealer.receive()).map(String), [id, "", `question ${id}`]);
  }
});

test("our REQ is answered by a libzmq REP and a libzmq ROUTER", TIMEOUT, async (t) => {
  const rep = foreign(t, new zmq.Reply());
  await rep.bind("tcp://127.0.0.1:*");
  const router = foreign(t, new zmq.Router());
  await router.bind("tcp://127.0.0.1:*");
  const first = closing(t, new Req());
  first.connect(addressOf(rep.lastEndpoint));
  const asked = first.request(Buffer.from("{}"));
  assert.equal(String((await rep.receive())[0]), "{}");
  await rep.send("answer");
  assert.equal(String(await asked), "answer");

  const second = closing(t, new Req());
  second.connect(addressOf(router.lastEndpoint));
  const routed = second.request(Buffer.from("x"));
  const [identity, delimiter, body] = await router.receive();
  assert.equal(String(body), "x");
  await router.send([identity ?? "", delimiter ?? "", "routed"]);
  assert.equal(String(await routed), "routed");
});

test("a libzmq SUB receives from our XPUB what it subscribed to, by longest prefix", TIMEOUT, async (t) => {
  const prefixes: string[] = [];
  const xpub = closing(
    t,
    new Xpub({
      onSubscribe: (prefix) => prefixes.push(`+${prefix}`),
      onUnsubscribe: (prefix) => prefixes.push(`-${prefix}`),
    }),
  );
  const address = await xpub.bind(LOOPBACK);
  const sub = foreign(t, new zmq.Subscriber());
  sub.connect(url(address));
  sub.subscribe("abc");
  await until(() => xpub.hasSubscriber("abcd"));
  assert.equal(xpub.hasSubscriber("ab"), false);
  assert.equal(xpub.sender("zzz").send(Buffer.from("zzz 1")), "unsubscribed");
  assert.equal(xpub.sender("abcd").send(Buffer.from("abcd "), Buffer.from("2")), "sent");
  assert.equal(String((await sub.receive())[0]), "abcd 2");
  sub.unsubscribe("abc");
  await until(() => !xpub.hasSubscriber("abcd"));
  sub.subscribe("x");
  await until(() => xpub.hasSubscriber("x"));
  sub.close();
  await until(() => prefixes.length === 4);
  assert.deepEqual(prefixes, ["+abc", "-abc", "+x", "-x"]);
});

test("a libzmq XSUB and a libzmq SUB receive from our PUB that connects", TIMEOUT, async (t) => {
  for (const sub of [new zmq.Subscriber(), new zmq.XSubscriber()]) {
    foreign(t, sub);
    await sub.bind("tcp://127.0.0.1:*");
    if (sub instanceof zmq.Subscriber) sub.subscribe("t");
    else await sub.send("\x01t");
    const pub = closing(t, new Pub());
    pub.connect(addressOf(sub.lastEndpoint));
    // A libzmq socket subscribes at new connections only while its owner calls it.
    const received = sub.receive();
    await pub.subscribed("topic");
    pub.sender("topic").send(Buffer.from("topic 1"));
    assert.equal(String((await received)[0]), "topic 1");
  }
});

test("our SUB that binds receives from a libzmq PUB and a libzmq XPUB", TIMEOUT, async (t) => {
  const sub = closing(t, new Sub());
  const address = await sub.bind(LOOPBACK);
  sub.subscribe("a");
  for (const pub of [new zmq.XPublisher(), new zmq.XPublisher()]) {
    foreign(t, pub);
    pub.connect(url(address));
    assert.deepEqual([...((await pub.receive())[0] ?? [])], [1, 0x61]);
    await pub.send(["a1", "b", ""]);
    await pub.send("b1");
    await pub.send("a2");
    const got: string[] = [];
    while (got.length < 2) {
      for (const frames of (await sub.receive())?.messages ?? []) got.push(frames.join("|"));
    }
    assert.deepEqual(got, ["a1|b|", "a2"]);
  }
  sub.unsubscribe("a");
});

test("our SUB that connects receives from a libzmq PUB, and again after that one restarts", TIMEOUT, async (t) => {
  const first = foreign(t, new zmq.XPublisher());
  await first.bind("tcp://127.0.0.1:*");
  const endpoint = String(first.lastEndpoint);
  const sub = closing(t, new Sub());
  sub.subscribe("news");
  sub.connect(addressOf(endpoint));
  await first.receive();
  await first.send("news 1");
  assert.equal(String((await sub.receive())?.messages[0]?.[0]), "news 1");
  first.close();
  const second = foreign(t, new zmq.XPublisher());
  for (let bound = false; !bound; ) {
    bound = await second.bind(endpoint).then(
      () => true,
      () => false,
    );
  }
  await second.receive();
  await second.send("news 2");
  assert.equal(String((await sub.receive())?.messages[0]?.[0]), "news 2");
});

test("libzmq peers find our sockets again after a restart on the same port", TIMEOUT, async (t) => {
  const first = new Xpub();
  const address = await first.bind(LOOPBACK);
  const sub = foreign(t, new zmq.Subscriber({ reconnectInterval: 10 }));
  sub.connect(url(address));
  sub.subscribe("p");
  await until(() => first.hasSubscriber("p"));
  await first.close();
  const second = closing(t, new Xpub());
  assert.equal((await second.bind(address)).port, address.port);
  const received = sub.receive();
  await until(() => second.hasSubscriber("p"));
  second.sender("p").send(Buffer.from("p again"));
  assert.equal(String((await received)[0]), "p again");
});

test("10,000 subscriptions of one libzmq XSUB are all served", TIMEOUT, async (t) => {
  let count = 0;
  const xpub = closing(t, new Xpub({ onSubscribe: () => count++ }));
  const address = await xpub.bind(LOOPBACK);
  // XSUB, because libzmq gives up subscriptions over the high-water mark for sending, which the binding's SUB cannot set.
  const sub = foreign(t, new zmq.XSubscriber({ receiveHighWaterMark: 0, sendHighWaterMark: 0 }));
  const prefixes = Array.from({ length: 10_000 }, (_, i) => `prefix-${i}.`);
  sub.connect(url(address));
  for (const prefix of prefixes) await sub.send(`\x01${prefix}`);
  await until(() => count === prefixes.length);
  for (const prefix of prefixes) assert.equal(xpub.sender(prefix).send(Buffer.from(prefix)), "sent");
  for (const prefix of prefixes) assert.equal(String((await sub.receive())[0]), prefix);
});

test("heartbeats of libzmq are answered, and ours by libzmq", TIMEOUT, async (t) => {
  const log = recorder();
  const xpub = closing(t, new Xpub({ heartbeat: { interval: 20, timeout: 1_000 }, onEvent: log.onEvent }));
  const address = await xpub.bind(LOOPBACK);
  // A PING every 10 ms, and a connection given up after two seconds without answer: enough for a busy machine.
  const sub = foreign(
    t,
    new zmq.Subscriber({ heartbeatInterval: 10, heartbeatTimeout: 2_000, heartbeatTimeToLive: 2_000 }),
  );
  sub.subscribe("s");
  sub.connect(url(address));
  await until(() => xpub.hasSubscriber("s"));
  log.events.length = 0;
  // Silent peers are the clock: by the time three of them were given up, one after another, either side would have given up the other.
  for (let i = 0; i < 3; i++) {
    const silent = await RawPeer.ready(t, address, "SUB");
    await until(() => silent.closed);
  }
  assert.deepEqual(
    log.events.map(({ type, reason }) => `${type}:${reason}`),
    Array(3).fill(["accepted:ready", "disconnected:heartbeat-timeout"]).flat(),
  );
  assert.equal(xpub.hasSubscriber("s"), true);
});

/** 100,000 sizes from 0 bytes to 1 MiB, most of them small; the same for both sides. */
function sizes(count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (i % 10_000 === 9_999) return 1024 * 1024 - (i % 7);
    if (i % 1_000 === 500) return 65_520 + ((i / 1_000) % 32);
    return (i * 7_919) % 300;
  });
}

/** Message number `i`: `size` bytes that depend on both. */
function body(i: number, size: number): Buffer {
  const bytes = Buffer.alloc(size, i & 0xff);
  if (size >= 4) bytes.writeUInt32BE(i);
  return bytes;
}

test("100,000 messages of 0 bytes to 1 MiB reach a libzmq SUB in order", TIMEOUT, async (t) => {
  const xpub = closing(t, new Xpub());
  const address = await xpub.bind(LOOPBACK);
  const sub = foreign(t, new zmq.Subscriber({ receiveHighWaterMark: 0 }));
  sub.subscribe("");
  sub.connect(url(address));
  await until(() => xpub.hasSubscriber(""));
  const sender = xpub.sender("");
  const plan = sizes(100_000);
  const sending = (async () => {
    for (const [i, size] of plan.entries()) {
      const message = body(i, size);
      while (sender.send(message) === "full") await sender.writable();
    }
    await sender.flushed();
  })();
  for (const [i, size] of plan.entries()) {
    const [frame] = await sub.receive();
    if (frame?.equals(body(i, size)) !== true) assert.fail(`message ${i} is not what was sent`);
  }
  await sending;
});

test("100,000 messages of 0 bytes to 1 MiB from a libzmq PUB reach our SUB in order", TIMEOUT, async (t) => {
  const sub = closing(t, new Sub());
  const address = await sub.bind(LOOPBACK);
  sub.subscribe("");
  const pub = foreign(t, new zmq.XPublisher({ sendHighWaterMark: 0, linger: 0 }));
  pub.connect(url(address));
  await pub.receive();
  const plan = sizes(100_000);
  const sending = (async () => {
    for (const [i, size] of plan.entries()) await pub.send(body(i, size));
  })();
  for (let i = 0; i < plan.length; ) {
    for (const frames of (await sub.receive())?.messages ?? []) {
      if (frames.length !== 1 || frames[0]?.equals(body(i, plan[i] ?? 0)) !== true)
        assert.fail(`message ${i} is wrong`);
      i++;
    }
  }
  await sending;
});
