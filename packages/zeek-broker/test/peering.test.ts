import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type TlsOption, Value } from "../src/index.ts";
import { identity, LARGE_ID, LOOPBACK, numbered, numberOf, SMALL_ID, Station, until } from "./support.ts";

const OPTIONS = { timeout: 20_000 };

suite("two endpoints peer", OPTIONS, () => {
  const transports: [name: string, listen: TlsOption, dial: TlsOption, isSecure: boolean][] = [
    ["plain", "off", "off", false],
    ["anonymous TLS", "anonymous", "anonymous", true],
    ["mutual TLS", identity("a"), identity("b"), true],
    ["a listener that takes both, plain", "auto", "off", false],
    ["a listener that takes both, TLS", "auto", "auto", true],
  ];
  for (const [name, listen, dial, isSecure] of transports) {
    for (const listenerIsOriginator of [true, false]) {
      test(`${name}, the ${listenerIsOriginator ? "listening" : "dialling"} side as originator`, async (t) => {
        const [listenerId, diallerId] = listenerIsOriginator ? [SMALL_ID, LARGE_ID] : [LARGE_ID, SMALL_ID];
        const hub = new Station(t, { id: listenerId, subscriptions: ["to/hub"], tls: listen });
        const zeek = new Station(t, { id: diallerId, subscriptions: ["to/zeek"], tls: dial });
        zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
        const [atHub, atZeek] = await Promise.all([hub.peer(), zeek.peer()]);
        assert.deepEqual([atHub.id, atZeek.id], [diallerId, listenerId]);
        assert.deepEqual([atHub.dialled, atZeek.dialled], [false, true]);
        assert.deepEqual([atHub.isSecure, atZeek.isSecure], [isSecure, isSecure]);
        assert.deepEqual(atHub.subscriptions, ["to/zeek"]);
        assert.equal(atHub.publish("to/zeek/now", numbered(1)), "sent");
        assert.equal(atHub.publish("elsewhere", numbered(2)), "unsubscribed");
        assert.equal(zeek.endpoint.publish("to/hub", numbered(3)).sent, 1);
        await until(() => hub.events.length === 1 && zeek.events.length === 1);
        assert.deepEqual(zeek.events, [{ topic: "to/zeek/now", event: numbered(1) }]);
        assert.deepEqual(hub.events, [{ topic: "to/hub", event: numbered(3) }]);
        await zeek.endpoint.close();
        await until(() => hub.has("peer-removed", "left"));
        assert.equal(zeek.count("peer-removed", "closed"), 1);
      });
    }
  }
});

suite("two endpoints do not peer", OPTIONS, () => {
  const mismatches: [name: string, listen: TlsOption, dial: TlsOption][] = [
    ["a stranger's certificate", identity("a"), identity("stranger")],
    ["no certificate where one is asked for", identity("a"), "anonymous"],
    ["plain where a certificate is asked for", identity("a"), "off"],
    ["plain where TLS is asked for", "anonymous", "off"],
    ["TLS where plain is asked for", "off", "anonymous"],
  ];
  for (const [name, listen, dial] of mismatches) {
    test(name, async (t) => {
      const hub = new Station(t, { tls: listen, handshakeTimeout: 300 });
      const zeek = new Station(t, { tls: dial, handshakeTimeout: 300 });
      zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
      await until(() => hub.has("handshake-failed") && zeek.has("handshake-failed") && zeek.has("dialling-again"));
      assert.equal(hub.count("peer-added") + zeek.count("peer-added"), 0);
    });
  }

  test("the listener's certificate is for another host", async (t) => {
    const hub = new Station(t, { tls: identity("a") });
    const { port } = await hub.endpoint.listen({ host: "127.0.0.2", port: 0 });
    const zeek = new Station(t, { tls: identity("b") });
    const stop = zeek.endpoint.dial({ host: "127.0.0.2", port });
    await until(() => zeek.has("handshake-failed", "tls-failed"));
    stop();
    zeek.endpoint.dial({ host: "127.0.0.2", port }, { ...identity("b"), checkHost: false });
    await zeek.peer();
  });

  test("an endpoint with itself", async (t) => {
    const hub = new Station(t, { tls: "off" });
    hub.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    await until(() => hub.has("handshake-failed", "redundant-connection"));
    assert.equal(hub.endpoint.peers.length, 0);
  });

  test("an address that is in use is the caller's error", async (t) => {
    const hub = new Station(t);
    const address = await hub.endpoint.listen(LOOPBACK);
    await assert.rejects(hub.endpoint.listen(address), { code: "EADDRINUSE" });
    const other = new Station(t);
    other.endpoint.dial(address);
    await hub.peer();
  });

  test("more connections than allowed", async (t) => {
    const hub = new Station(t, { tls: "off", maxConnections: 1 });
    const address = await hub.endpoint.listen(LOOPBACK);
    const first = new Station(t, { tls: "off" });
    first.endpoint.dial(address);
    await first.peer();
    const second = new Station(t, { tls: "off" });
    second.endpoint.dial(address);
    await until(() => hub.has("handshake-failed", "too-many-connections") && second.has("handshake-failed"));
    assert.equal(hub.endpoint.peers.length, 1);
  });
});

suite("subscriptions", OPTIONS, () => {
  test("a peer hears of new and withdrawn ones", async (t) => {
    const hub = new Station(t);
    const zeek = new Station(t, { subscriptions: ["a"] });
    zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    const peer = await hub.peer();
    await zeek.peer();
    zeek.endpoint.subscribe("b");
    await until(() => peer.isSubscribed("bc"));
    assert.equal(peer.publish("bc", numbered(1)), "sent");
    zeek.endpoint.unsubscribe("a");
    await until(() => !peer.isSubscribed("a"));
    assert.equal(peer.publish("a", numbered(2)), "unsubscribed");
    assert.deepEqual(peer.subscriptions, ["b"]);
    assert.equal(hub.count("filter-changed"), 2);
    await until(() => zeek.events.length === 1);
  });

  test("what is subscribed to during the handshake reaches the peer", async (t) => {
    const hub = new Station(t);
    const zeek = new Station(t, { subscriptions: ["a"] });
    zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    zeek.endpoint.subscribe("b");
    const peer = await hub.peer();
    await until(() => peer.isSubscribed("b"));
  });

  test("data that is no event goes to onValue", async (t) => {
    const values: Value[] = [];
    const hub = new Station(t, { subscriptions: ["x"], onValue: (_, __, value) => values.push(value) });
    const other = new Station(t, { subscriptions: ["x"] });
    other.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    const [atHub, atOther] = await Promise.all([hub.peer(), other.peer()]);
    assert.equal(atOther.publishValue("x", Value.string("hello")), "sent");
    assert.equal(atHub.publishValue("x", Value.string("hello")), "sent");
    await until(() => values.length === 1 && other.has("ignored", "not-an-event"));
    assert.deepEqual(values, [Value.string("hello")]);
  });
});

suite("delivery", OPTIONS, () => {
  for (const tls of ["off", "anonymous"] as const) {
    test(`100,000 events arrive in order, none lost, tls ${tls}`, { timeout: 60_000 }, async (t) => {
      const count = 100_000;
      let received = 0;
      const zeek = new Station(t, {
        subscriptions: ["n"],
        tls,
        onEvent: (_, __, event) => {
          assert.equal(numberOf(event), received);
          received += 1;
        },
      });
      const hub = new Station(t, { tls });
      zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
      const peer = await hub.peer();
      for (let number = 0; number < count; ) {
        if (peer.publish("n", numbered(number)) === "sent") number += 1;
        else await peer.writable();
      }
      await peer.ping();
      assert.equal(received, count);
    });
  }

  test("a peer that reads nothing fills up, and gets everything when it reads again", async (t) => {
    const zeek = new Station(t, { subscriptions: ["n"], tls: "off" });
    const hub = new Station(t, { tls: "off", maxInFlight: 50 });
    zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    const [peer, back] = await Promise.all([hub.peer(), zeek.peer()]);
    back.pause();
    let sent = 0;
    while (peer.publish("n", numbered(sent)) === "sent") sent += 1;
    assert.equal(sent, 50);
    assert.deepEqual(hub.endpoint.publish("n", numbered(sent)), { sent: 0, full: [peer] });
    const aborted = new AbortController();
    const waiting = assert.rejects(peer.writable(aborted.signal), { name: "AbortError" });
    aborted.abort();
    await waiting;
    back.resume();
    await peer.writable();
    assert.equal(peer.publish("n", numbered(sent)), "sent");
    await until(() => zeek.events.length === 51);
    assert.deepEqual(
      zeek.events.map(({ event }) => numberOf(event)),
      Array.from({ length: 51 }, (_, n) => n),
    );
  });

  test("bytes that the peer does not take are bounded", async (t) => {
    const zeek = new Station(t, { subscriptions: ["n"], tls: "off" });
    const hub = new Station(t, { tls: "off", maxInFlight: 1_000_000, highWaterMark: 256 * 1024 });
    zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    const [peer, back] = await Promise.all([hub.peer(), zeek.peer()]);
    back.pause();
    const event = { name: "Test::big", args: [Value.string("x".repeat(64 * 1024))] };
    let sent = 0;
    while (peer.publish("n", event) === "sent") sent += 1;
    assert.equal(peer.publish("n", event), "full");
    // The operating system's buffers take some megabytes of their own.
    assert.ok(sent <= 512, `${sent} messages of 64 KiB`);
    back.resume();
    await peer.writable();
    await until(() => zeek.events.length === sent);
  });

  test("what is too large or wrong is refused to the caller, and the peering stays", async (t) => {
    const zeek = new Station(t, { subscriptions: ["n"] });
    const hub = new Station(t, { maxFrame: 1_000 });
    zeek.endpoint.dial(await hub.endpoint.listen(LOOPBACK));
    const peer = await hub.peer();
    const big = { name: "Test::big", args: [Value.string("x".repeat(1_000))] };
    assert.throws(() => peer.publish("n", big), { code: "FRAME_TOO_LARGE" });
    assert.throws(() => peer.publish("n", { name: "x", args: [Value.count(-1n)] }), { code: "INVALID_VALUE" });
    assert.throws(() => peer.publish(`n${"x".repeat(70_000)}`, numbered(1)), { code: "INVALID_VALUE" });
    assert.equal(peer.publish("n", numbered(1)), "sent");
    await until(() => zeek.events.length === 1);
  });
});
