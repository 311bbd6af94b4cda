import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Pub, Rep, Req, Sub, Xpub, ZmtpError } from "../src/index.ts";
import { Publisher } from "../src/sockets/publisher.ts";
import { CachingSender } from "../src/sockets/topic-sender.ts";
import { bytes, closing, command, LOOPBACK, RawPeer, recorder, until } from "./support.ts";

const TIMEOUT = { timeout: 20_000 };

test("requests get their replies, over IPv4 and IPv6", TIMEOUT, async (t) => {
  for (const host of ["127.0.0.1", "::1"]) {
    const rep = closing(t, new Rep());
    const address = await rep.bind({ host, port: 0 });
    rep.serve(async ([body]) => Buffer.from(`re:${body}`));
    const req = closing(t, new Req());
    req.connect(address);
    const replies = await Promise.all(["a", "b", "c"].map((body) => req.request(Buffer.from(body))));
    assert.deepEqual(replies.map(String), ["re:a", "re:b", "re:c"]);
  }
});

test("a handler that throws is reported, and the requester gets an empty reply", TIMEOUT, async (t) => {
  const log = recorder();
  const rep = closing(t, new Rep({ onEvent: log.onEvent }));
  const address = await rep.bind(LOOPBACK);
  rep.serve(() => {
    throw new Error("broken");
  });
  const req = closing(t, new Req());
  req.connect(address);
  assert.equal((await req.request(Buffer.from("x"))).length, 0);
  assert.ok(log.has("handler-failed:handler-threw"));
});

test("a slow answer to one peer does not hold up another", TIMEOUT, async (t) => {
  const rep = closing(t, new Rep());
  const address = await rep.bind(LOOPBACK);
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  rep.serve(([body]) => (String(body) === "slow" ? promise : Buffer.from("quick")));
  const [slow, quick] = [closing(t, new Req()), closing(t, new Req())];
  slow.connect(address);
  quick.connect(address);
  const late = slow.request(Buffer.from("slow"));
  assert.equal(String(await quick.request(Buffer.from("x"))), "quick");
  resolve(Buffer.from("at last"));
  assert.equal(String(await late), "at last");
});

test("after a timeout the next request uses a new connection", TIMEOUT, async (t) => {
  const rep = closing(t, new Rep());
  const address = await rep.bind(LOOPBACK);
  const never = new Promise<Uint8Array>(() => {});
  rep.serve(([body]) => (String(body) === "lost" ? never : Buffer.from("ok")));
  const req = closing(t, new Req());
  req.connect(address);
  await assert.rejects(req.request(Buffer.from("lost"), { timeout: 20 }), { code: "REQUEST_TIMEOUT", retryable: true });
  assert.equal(String(await req.request(Buffer.from("x"))), "ok");
});

test("requests end with an abort, a lost connection, and close()", TIMEOUT, async (t) => {
  const rep = new Rep();
  const address = await rep.bind(LOOPBACK);
  let asked = 0;
  rep.serve(() => {
    asked++;
    return new Promise<Uint8Array>(() => {});
  });
  const req = closing(t, new Req());
  req.connect(address);
  const abort = new AbortController();
  const aborted = req.request(Buffer.from("1"), { signal: abort.signal });
  await until(() => asked === 1);
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const lost = assert.rejects(req.request(Buffer.from("2")), { code: "CONNECTION_LOST" });
  await until(() => asked === 2);
  await rep.close();
  await lost;
  const closed = assert.rejects(req.request(Buffer.from("3")), { code: "SOCKET_CLOSED", retryable: false });
  await req.close();
  await closed;
  await assert.rejects(req.request(Buffer.from("4")), ZmtpError);
});

test("binding to a port in use keeps the system's error code", TIMEOUT, async (t) => {
  const address = await closing(t, new Rep()).bind(LOOPBACK);
  await assert.rejects(closing(t, new Xpub()).bind(address), { code: "EADDRINUSE" });
});

test("PUB to SUB: subscriptions before and after connecting, and reference counts", TIMEOUT, async (t) => {
  const sub = closing(t, new Sub());
  sub.subscribe("a");
  sub.subscribe("a");
  const pub = closing(t, new Pub());
  pub.connect(await sub.bind(LOOPBACK));
  await pub.subscribed("a");
  sub.subscribe("b");
  await pub.subscribed("b");
  sub.unsubscribe("a");
  sub.unsubscribe("b");
  await until(() => pub.sender("b").connections === 0);
  assert.equal(pub.sender("b").send(Buffer.from("b")), "unsubscribed");
  assert.equal(pub.sender("a").send(Buffer.from("a"), Buffer.from(" "), Buffer.from("1")), "sent");
  const batch = await sub.receive();
  assert.deepEqual(batch?.messages.map(String), ["a 1"]);
  assert.equal(batch?.peer.metadata?.get("socket-type")?.toString(), "PUB");
  await sub.close();
  assert.equal(await sub.receive(), undefined);
});

test("both forms of subscription are understood, and our SUB uses the one the peer knows", TIMEOUT, async (t) => {
  const xpub = closing(t, new Xpub());
  const address = await xpub.bind(LOOPBACK);
  const peer = await RawPeer.ready(t, address, "SUB");
  peer.send(bytes(`04 0D 09 "SUBSCRIBE" "abc" 00 04 01 "xyz"`));
  await until(() => xpub.hasSubscriber("abc") && xpub.hasSubscriber("xyz"));
  peer.send(command("CANCEL", Buffer.from("xyz")), bytes(`00 04 00 "abc"`));
  await until(() => !xpub.hasSubscriber("abc") && !xpub.hasSubscriber("xyz"));

  const sub = closing(t, new Sub());
  const subAddress = await sub.bind(LOOPBACK);
  const old = await RawPeer.ready(t, subAddress, "PUB", 0);
  const current = await RawPeer.ready(t, subAddress, "PUB", 1);
  sub.subscribe("abc");
  await until(() => old.received.length >= 6 && current.received.length >= 15);
  assert.deepEqual(old.received, bytes(`00 04 01 "abc"`));
  assert.deepEqual(current.received, bytes(`04 0D 09 "SUBSCRIBE" "abc"`));
});

test("a PING is answered with its context", TIMEOUT, async (t) => {
  const address = await closing(t, new Xpub()).bind(LOOPBACK);
  const peer = await RawPeer.ready(t, address, "SUB");
  peer.send(bytes(`04 0A 04 "PING" 0000 "ctx"`));
  await until(() => peer.received.length > 0);
  assert.deepEqual(peer.received, bytes(`04 08 04 "PONG" "ctx"`));
});

test("a peer that does not answer heartbeats, or breaks its promise to send them, is given up", TIMEOUT, async (t) => {
  const log = recorder();
  const heartbeat = { interval: 10, timeout: 20 };
  const address = await closing(t, new Xpub({ heartbeat, onEvent: log.onEvent })).bind(LOOPBACK);
  const silent = await RawPeer.ready(t, address, "SUB");
  await until(() => silent.closed);
  assert.ok(log.has("disconnected:heartbeat-timeout"));
  const promising = recorder();
  const second = await closing(t, new Xpub({ onEvent: promising.onEvent })).bind(LOOPBACK);
  const peer = await RawPeer.ready(t, second, "SUB");
  peer.send(bytes(`04 07 04 "PING" 0001`));
  await until(() => promising.has("disconnected:heartbeat-timeout"));
});

test("a subscriber that does not read fills up alone; nothing is lost when it reads again", TIMEOUT, async (t) => {
  const xpub = closing(t, new Xpub({ highWaterMark: 256 * 1024 }));
  const address = await xpub.bind(LOOPBACK);
  const stuck = await RawPeer.ready(t, address, "SUB");
  stuck.socket.pause();
  stuck.send(command("SUBSCRIBE", Buffer.from("stuck")));
  const sub = closing(t, new Sub());
  sub.subscribe("quick");
  sub.connect(address);
  await until(() => xpub.hasSubscriber("stuck") && xpub.hasSubscriber("quick"));
  const [slow, quick] = [xpub.sender("stuck"), xpub.sender("quick")];
  const payload = Buffer.alloc(10_000);
  let sent = 0;
  // A turn between sends lets the kernel's buffers fill before ours.
  while (slow.send(Buffer.from(`stuck${String(sent).padStart(8, "0")}`), payload) === "sent") {
    if (++sent % 16 === 0) await nextTurn();
  }
  assert.ok(sent > 25);
  let writable = false;
  const waiting = slow.writable().then(() => {
    writable = true;
  });
  assert.equal(quick.send(Buffer.from("quick")), "sent");
  assert.equal(String((await sub.receive())?.messages[0]?.[0]), "quick");
  assert.equal(writable, false);
  const abort = new AbortController();
  const aborted = assert.rejects(slow.writable(abort.signal), /enough/);
  abort.abort(new Error("enough"));
  await aborted;

  stuck.socket.resume();
  await waiting;
  assert.equal(slow.send(Buffer.from("stuck"), Buffer.from("last")), "sent");
  await slow.flushed();
  await until(() => stuck.text.endsWith("stucklast"));
  const numbers = [...stuck.text.matchAll(/stuck(\d{8})/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    numbers,
    Array.from({ length: sent }, (_, i) => i),
  );
});

test("waiting ends when the last owner goes, and when the socket is closed", TIMEOUT, async (t) => {
  const log = recorder();
  const xpub = new Xpub({ highWaterMark: 1, linger: 0, onEvent: log.onEvent });
  const address = await xpub.bind(LOOPBACK);
  for (const end of ["peer", "socket"]) {
    const peer = await RawPeer.ready(t, address, "SUB");
    peer.socket.pause();
    peer.send(command("SUBSCRIBE", Buffer.from("t")));
    await until(() => xpub.hasSubscriber("t"));
    const sender = xpub.sender("t");
    while (sender.send(Buffer.from("t"), Buffer.alloc(100_000)) === "sent") await nextTurn();
    const waiting = Promise.all([sender.writable(), sender.flushed()]);
    if (end === "peer") peer.socket.destroy();
    else await xpub.close();
    await waiting;
    assert.equal(sender.send(Buffer.from("t")), "unsubscribed");
    assert.equal(sender.connections, 0);
  }
  assert.ok(log.has("dropped:connection-lost"));
  assert.ok(log.has("dropped:linger"));
});

test("of two connections with one topic, one that takes nothing can be given up for the other", TIMEOUT, async (t) => {
  const log = recorder();
  const xpub = closing(t, new Xpub({ highWaterMark: 100_000, onEvent: log.onEvent }));
  const address = await xpub.bind(LOOPBACK);
  const sender = xpub.sender("topic");
  const lost = await RawPeer.ready(t, address, "SUB");
  lost.socket.pause();
  lost.send(command("SUBSCRIBE", Buffer.from("topic")));
  await until(() => sender.connections === 1);
  while (sender.send(Buffer.from("topic"), Buffer.alloc(50_000)) === "sent") await nextTurn();
  assert.equal(sender.dropStalled(), 0, "the only one stays");
  const sub = closing(t, new Sub());
  sub.subscribe("topic");
  sub.connect(address);
  await until(() => sender.connections === 2);
  assert.equal(sender.send(Buffer.from("topic")), "full");
  assert.equal(sender.dropStalled(), 1);
  assert.ok(log.has("disconnected:stalled") && log.has("dropped:connection-lost"));
  await sender.writable();
  assert.equal(sender.send(Buffer.from("topic again")), "sent");
  const batch = await sub.receive();
  assert.equal(String(batch?.messages[0]?.[0]), "topic again");
});

test("a subscriber to everything that is full misses messages, and that is reported", TIMEOUT, async (t) => {
  const log = recorder();
  let subscriptions = 0;
  const onSubscribe = () => subscriptions++;
  const xpub = closing(t, new Xpub({ highWaterMark: 1, linger: 0, onEvent: log.onEvent, onSubscribe }));
  const address = await xpub.bind(LOOPBACK);
  const watcher = await RawPeer.ready(t, address, "SUB");
  watcher.socket.pause();
  watcher.send(command("SUBSCRIBE"));
  const sub = closing(t, new Sub());
  sub.subscribe("topic");
  sub.connect(address);
  await until(() => subscriptions === 2);
  const sender = xpub.sender("topic");
  assert.equal(sender.connections, 1);
  const reading = (async () => {
    while ((await sub.receive()) !== undefined) await nextTurn();
  })();
  while (!log.has("dropped:full")) {
    while (sender.send(Buffer.from("topic"), Buffer.alloc(50_000)) === "full") await sender.writable();
    await nextTurn();
  }
  await sub.close();
  await reading;
});

test("while nobody takes batches, publishers are held back, and each has its turn", TIMEOUT, async (t) => {
  const sub = closing(t, new Sub());
  const address = await sub.bind(LOOPBACK);
  sub.subscribe("");
  const pubs = [closing(t, new Pub({ highWaterMark: 64 * 1024 })), closing(t, new Pub({ highWaterMark: 64 * 1024 }))];
  const counts: number[] = [];
  for (const [i, pub] of pubs.entries()) {
    pub.connect(address);
    await pub.subscribed("");
    const sender = pub.sender("");
    let count = 0;
    while (sender.send(Buffer.of(i), Buffer.alloc(10_000)) === "sent") {
      if (++count % 16 === 0) await nextTurn();
    }
    counts.push(count);
  }
  const received = [0, 0];
  const order: number[] = [];
  while (received[0] !== counts[0] || received[1] !== counts[1]) {
    const batch = await sub.receive();
    for (const [frame] of batch?.messages ?? []) {
      const from = frame?.[0] ?? 0;
      received[from] = (received[from] ?? 0) + 1;
      if (order.at(-1) !== from) order.push(from);
    }
  }
  assert.ok(order.length > 2, "the peers take turns");
});

test("receive() rejects on abort and takes nothing with it", TIMEOUT, async (t) => {
  const sub = closing(t, new Sub());
  const address = await sub.bind(LOOPBACK);
  sub.subscribe("");
  const abort = new AbortController();
  const aborted = assert.rejects(sub.receive(abort.signal), /enough/);
  abort.abort(new Error("enough"));
  await aborted;
  await assert.rejects(sub.receive(abort.signal), /enough/);
  const pub = closing(t, new Pub());
  pub.connect(address);
  await pub.subscribed("");
  pub.sender("").send(Buffer.from("x"));
  assert.deepEqual((await sub.receive(new AbortController().signal))?.messages.map(String), ["x"]);
});

test("1,050 connections come and go and leave nothing behind", TIMEOUT, async (t) => {
  const log = recorder();
  const publisher = closing(t, new Publisher("XPUB", { onEvent: log.onEvent }));
  const address = await publisher.bind(LOOPBACK);
  const sender = new CachingSender(publisher, "t");
  for (let round = 0; round < 3; round++) {
    const subs = Array.from({ length: 350 }, () => new Sub());
    for (const sub of subs) {
      sub.subscribe("t");
      sub.connect(address);
    }
    await until(() => sender.connections === 350);
    assert.equal(sender.send(Buffer.from("t")), "sent");
    await Promise.all(subs.map((sub) => sub.receive()));
    await Promise.all(subs.map((sub) => sub.close()));
    await until(() => publisher.hub.size === 0);
  }
  assert.deepEqual(publisher.match("t"), { owners: [], others: [] });
  assert.equal(publisher.isIdle, true);
  assert.equal(log.events.filter((event) => event.type === "accepted").length, 1_050);
  assert.equal(log.events.filter((event) => event.type === "disconnected").length, 1_050);
});

test("close() delivers what was sent before", TIMEOUT, async (t) => {
  const sub = closing(t, new Sub());
  sub.subscribe("");
  const pub = new Pub({ linger: 10_000 });
  pub.connect(await sub.bind(LOOPBACK));
  await pub.subscribed("");
  const sender = pub.sender("");
  for (let i = 0; i < 300; i++) assert.equal(sender.send(Buffer.alloc(10_000, i)), "sent");
  const closed = pub.close();
  let count = 0;
  while (count < 300) count += (await sub.receive())?.messages.length ?? 0;
  await closed;
});
