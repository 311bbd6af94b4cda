import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import type { Address, EndpointOptions } from "../src/index.ts";
import { Value } from "../src/index.ts";
import { formatId, parseId } from "../src/messages/endpoint-id.ts";
import { encodeFilter, Filter } from "../src/messages/filter.ts";
import { decodeHandshake, encodeHandshake } from "../src/messages/handshake-message.ts";
import { decodeNodeMessage, encodeNodeMessage, NodeType } from "../src/messages/node-message.ts";
import { encodeValue } from "../src/values/binary.ts";
import { framed, LARGE_ID, LOOPBACK, numbered, RawPeer, SMALL_ID, Station, until } from "./support.ts";

const OPTIONS = { timeout: 20_000 };
/** Id of the peers made of bytes; larger than SMALL_ID, so that the endpoint is the originator. */
const RAW_ID = parseId("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");

const HELLO = encodeHandshake({ type: "hello", sender: RAW_ID, minVersion: 1, maxVersion: 1 });

function synAck(...topics: string[]): Buffer {
  return encodeHandshake({ type: "responder_syn_ack", filter: new Filter(topics) });
}

/** A frame that a peer sends to the endpoint with SMALL_ID. */
function node(type: number, topic: string, payload: Uint8Array): Buffer {
  return encodeNodeMessage({ sender: RAW_ID, receiver: parseId(SMALL_ID), type, topic, payload });
}

async function listening(t: Parameters<typeof RawPeer.connect>[0], options: EndpointOptions = {}) {
  const station = new Station(t, { id: SMALL_ID, subscriptions: ["x"], ...options });
  return { station, address: await station.endpoint.listen(LOOPBACK) };
}

/** A peer made of bytes that has completed the handshake and wants everything. */
async function peered(t: Parameters<typeof RawPeer.connect>[0], address: Address, station: Station): Promise<RawPeer> {
  const raw = await RawPeer.connect(t, address);
  raw.socket.write(Buffer.concat([HELLO, synAck("")]));
  await until(() => station.endpoint.peers.length === 1);
  await until(() => raw.received.subarray(-1)[0] === 12);
  raw.received = Buffer.alloc(0);
  return raw;
}

suite("handshakes that fail", OPTIONS, () => {
  const cases: [name: string, bytes: Buffer, reason: string][] = [
    ["garbage", Buffer.from("00000001ff", "hex"), "unexpected-message"],
    ["an empty frame", Buffer.from("00000000", "hex"), "bad-message"],
    ["a length over the limit of a handshake", Buffer.from("00100001", "hex"), "frame-too-large"],
    ["another magic number", framed(Buffer.from("065a45454c", "hex")), "wrong-magic"],
    ["a short hello", framed(Buffer.from("065a45454b00", "hex")), "bad-message"],
    [
      "a later version",
      encodeHandshake({ type: "hello", sender: RAW_ID, minVersion: 2, maxVersion: 2 }),
      "incompatible-version",
    ],
    ["data before the handshake", node(NodeType.data, "x", Buffer.of(0)), "unexpected-message"],
    ["a refusal", encodeHandshake({ type: "drop_conn", sender: RAW_ID, code: 2, reason: "no" }), "refused-by-peer"],
  ];
  for (const [name, bytes, reason] of cases) {
    test(name, async (t) => {
      const { station, address } = await listening(t);
      const raw = await RawPeer.connect(t, address);
      raw.socket.write(bytes);
      await until(() => raw.isClosed && station.has("handshake-failed", reason));
      assert.equal(station.notices.length, 1);
    });
  }

  test("after the handshake longer frames are taken, also those that came together with its end", async (t) => {
    const { station, address } = await listening(t);
    const raw = await RawPeer.connect(t, address);
    const long = node(NodeType.routingUpdate, "<$>", encodeFilter(new Filter(["x".repeat(2 * 1024 * 1024)])));
    raw.socket.write(Buffer.concat([HELLO, synAck(""), long]));
    await until(() => station.endpoint.peers[0]?.subscriptions[0]?.length === 2 * 1024 * 1024);
  });

  test("wrong magic and version are told to the peer", async (t) => {
    const { address } = await listening(t);
    for (const [bytes, code] of [
      [framed(Buffer.from("065a45454c", "hex")), 38],
      [encodeHandshake({ type: "hello", sender: RAW_ID, minVersion: 2, maxVersion: 2 }), 2],
    ] as const) {
      const raw = await RawPeer.connect(t, address);
      raw.socket.write(bytes);
      await until(() => raw.isClosed);
      // The probe comes first: 4 bytes of length and 5 bytes.
      const drop = decodeHandshake(raw.received.subarray(9 + 4), 10);
      assert.ok(drop?.type === "drop_conn");
      assert.deepEqual([formatId(drop.sender), drop.code], [SMALL_ID, code]);
    }
  });

  test("silence, and a TLS handshake that never goes on", async (t) => {
    const { station, address } = await listening(t, { handshakeTimeout: 100 });
    const silent = await RawPeer.connect(t, address);
    const halfway = await RawPeer.connect(t, address);
    halfway.socket.write(Buffer.from("1603010200", "hex"));
    const helloOnly = await RawPeer.connect(t, address);
    helloOnly.socket.write(HELLO);
    await until(() => silent.isClosed && halfway.isClosed && helloOnly.isClosed);
    await until(() => station.count("handshake-failed") === 3);
    assert.equal(station.count("handshake-failed", "handshake-timeout"), 2);
    assert.equal(station.count("handshake-failed", "tls-failed"), 1);
  });

  test("the time for a handshake runs from the connection on, not from its first byte", async (t) => {
    const { address } = await listening(t, { handshakeTimeout: 400 });
    const half = await listening(t, { handshakeTimeout: 200 });
    const slow = await RawPeer.connect(t, address);
    const clock = await RawPeer.connect(t, half.address);
    await until(() => clock.isClosed);
    const later = await RawPeer.connect(t, address);
    slow.socket.write(Buffer.of(0));
    await until(() => slow.isClosed || later.isClosed);
    assert.equal(later.isClosed, false);
  });

  test("an endpoint closes while connections are in every stage of their handshake", async (t) => {
    const { station, address } = await listening(t);
    const peers = await Promise.all([1, 2, 3].map(() => RawPeer.connect(t, address)));
    peers[1]?.socket.write(Buffer.from("1603010200", "hex"));
    peers[2]?.socket.write(HELLO);
    await until(() => (peers[2]?.received.length ?? 0) > 9);
    await station.endpoint.close();
    await until(() => peers.every((peer) => peer.isClosed));
  });
});

suite("peers that go wrong", OPTIONS, () => {
  const cases: [name: string, bytes: Buffer, reason: string][] = [
    ["garbage", framed(Buffer.from("ff", "hex")), "bad-message"],
    ["a length over the limit", Buffer.from("7fffffff", "hex"), "frame-too-large"],
    ["a value that cannot be decoded", node(NodeType.data, "x", Buffer.from("0e05", "hex")), "bad-message"],
    [
      "a topic that is not UTF-8",
      Buffer.concat([node(NodeType.data, "x", Buffer.of(0)).subarray(0, 41), Buffer.of(0xff, 0)]),
      "bad-message",
    ],
    ["a filter that cannot be decoded", node(NodeType.routingUpdate, "<$>", Buffer.from("05", "hex")), "bad-message"],
  ];
  for (const [name, bytes, reason] of cases) {
    test(`${name}: that peer only is closed`, async (t) => {
      const { station, address } = await listening(t);
      const other = new Station(t);
      other.endpoint.dial(address);
      await other.peer();
      await until(() => station.endpoint.peers.length === 1);
      const raw = await RawPeer.connect(t, address);
      raw.socket.write(Buffer.concat([HELLO, synAck(""), bytes]));
      await until(() => raw.isClosed && station.has("peer-removed", reason));
      assert.deepEqual(
        station.endpoint.peers.map(({ id }) => id),
        [other.endpoint.id],
      );
    });
  }

  test("unknown types, commands and log writes are passed over", async (t) => {
    const { station, address } = await listening(t);
    const raw = await peered(t, address, station);
    const log = Value.vector(Value.count(1), Value.count(3), Value.vector());
    raw.socket.write(
      Buffer.concat([
        node(77, "x", Buffer.of(1, 2, 3)),
        node(NodeType.command, "x", Buffer.of(1, 2, 3)),
        node(NodeType.data, "y", encodeValue(log)),
        node(NodeType.data, "x", encodeValue(log)),
        node(NodeType.pong, "<$>", Buffer.of(1, 2, 3)),
        node(NodeType.ping, "<$>", Buffer.from("end")),
      ]),
    );
    await until(() => raw.received.includes("end"));
    for (const kind of ["unknown-type", "command", "not-subscribed", "not-an-event"]) {
      assert.equal(station.count("ignored", kind), 1, kind);
    }
    assert.equal(station.endpoint.peers.length, 1);
  });

  test("a peer that vanishes", async (t) => {
    const { station, address } = await listening(t);
    const raw = await peered(t, address, station);
    const peer = await station.peer();
    const pinging = assert.rejects(peer.ping(), { code: "PEER_GONE", retryable: true });
    raw.socket.resetAndDestroy();
    await pinging;
    await until(() => station.has("peer-removed", "connection-lost"));
    assert.equal(peer.publish("x", numbered(1)), "closed");
    await peer.writable();
    await peer.close();
    await assert.rejects(peer.ping(), { code: "PEER_GONE" });
  });

  test("a peer that no longer answers heartbeats is given up", async (t) => {
    const { station, address } = await listening(t, { heartbeat: { interval: 20, timeout: 50 } });
    const raw = await peered(t, address, station);
    await until(() => station.has("peer-removed", "unresponsive"));
    await until(() => raw.isClosed);
  });

  test("a peer that answers heartbeats stays", async (t) => {
    const { station, address } = await listening(t, { heartbeat: { interval: 5, timeout: 10_000 } });
    const other = new Station(t, { heartbeat: { interval: 5, timeout: 10_000 } });
    other.endpoint.dial(address);
    const peer = await station.peer();
    for (let count = 0; count < 20; count++) await peer.ping();
    assert.equal(station.endpoint.peers.length, 1);
  });

  test("a peer that pings without end and reads nothing is closed", async (t) => {
    const { station, address } = await listening(t, { highWaterMark: 1_024, maxFrame: 64 * 1_024 });
    const raw = await peered(t, address, station);
    raw.socket.pause();
    const ping = node(NodeType.ping, "<$>", Buffer.alloc(60_000));
    while (!station.has("peer-removed", "not-reading")) {
      raw.socket.write(ping);
      await new Promise(setImmediate);
    }
  });

  test("what a peer answers after its goodbye does not say that it has read anything", async (t) => {
    const { station, address } = await listening(t);
    const raw = await peered(t, address, station);
    const pinging = assert.rejects((await station.peer()).ping(), { code: "PEER_GONE" });
    await until(() => raw.received.length > 0);
    const { payload } = decodeNodeMessage(raw.received.subarray(4));
    const goodbye = node(NodeType.ping, "<$>", Buffer.from("BYE12345678"));
    raw.socket.write(Buffer.concat([goodbye, node(NodeType.pong, "<$>", payload)]));
    await pinging;
  });

  test("a peer that says goodbye and then stays is closed", async (t) => {
    const { station, address } = await listening(t, { farewellTimeout: 50 });
    const raw = await peered(t, address, station);
    raw.socket.write(node(NodeType.ping, "<$>", Buffer.from("BYE12345678")));
    await until(() => station.has("peer-removed", "left") && raw.isClosed);
    assert.ok(raw.received.includes("BYE12345678"));
  });

  test("a peer that does not answer a goodbye does not hold up close()", async (t) => {
    const { station, address } = await listening(t, { farewellTimeout: 50 });
    const raw = await peered(t, address, station);
    await station.endpoint.close();
    assert.ok(station.has("peer-removed", "closed"));
    await until(() => raw.isClosed);
    assert.ok(raw.received.includes("BYE"));
    await assert.rejects(station.endpoint.listen(LOOPBACK), { code: "CLOSED" });
  });

  test("what was published before close() arrives", async (t) => {
    const { station, address } = await listening(t);
    const other = new Station(t, { subscriptions: ["n"] });
    other.endpoint.dial(address);
    const peer = await station.peer();
    for (let number = 0; number < 900; number++) assert.equal(peer.publish("n", numbered(number)), "sent");
    await station.endpoint.close();
    assert.equal(other.events.length, 900);
  });
});

suite("noise", { timeout: 60_000 }, () => {
  const noise = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  /** Frames that are right on the outside. */
  const nodes = fc
    .tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom("x", "<$>", "y"), noise)
    .map(([type, topic, payload]) => node(type, topic, payload));
  const stream = fc.array(fc.oneof(noise, noise.map(framed), nodes, fc.constant(HELLO)), {
    minLength: 1,
    maxLength: 8,
  });

  test("whatever is sent, before or after the handshake, the endpoint goes on", async (t) => {
    const { station, address } = await listening(t);
    await fc.assert(
      fc.asyncProperty(fc.boolean(), stream, async (afterHandshake, parts) => {
        const raw = await RawPeer.connect(t, address);
        raw.socket.write(Buffer.concat(afterHandshake ? [HELLO, synAck("y"), ...parts] : parts));
        raw.socket.end();
        await until(() => raw.isClosed);
      }),
      { numRuns: 300 },
    );
    await until(() => station.endpoint.peers.length === 0);
    const other = new Station(t);
    other.endpoint.dial(address);
    await (await other.peer()).ping();
    assert.equal(station.count("peer-added"), station.count("peer-removed") + 1);
  });
});

suite("peers that come again", OPTIONS, () => {
  test("the dialling side finds a listener that was restarted", async (t) => {
    const { station: first, address } = await listening(t);
    const zeek = new Station(t, { id: LARGE_ID });
    zeek.endpoint.dial(address);
    await zeek.peer();
    await first.endpoint.close();
    await until(() => zeek.has("peer-removed", "left") && zeek.has("dialling-again"));
    const second = new Station(t);
    await second.endpoint.listen(address);
    await second.peer();
  });

  test("a second connection of a live peer is refused, and the first one stays", async (t) => {
    const { station, address } = await listening(t, { farewellTimeout: 10_000 });
    const zeek = new Station(t, { id: LARGE_ID, subscriptions: ["n"] });
    zeek.endpoint.dial(address);
    const peer = await station.peer();
    const again = await RawPeer.connect(t, address);
    again.socket.write(encodeHandshake({ type: "hello", sender: parseId(LARGE_ID), minVersion: 1, maxVersion: 1 }));
    await until(() => again.isClosed && station.has("handshake-failed", "redundant-connection"));
    await peer.ping();
    assert.deepEqual(station.endpoint.peers, [peer]);
  });

  test("a peer that comes again before its old connection was noticed to be dead gets in", async (t) => {
    const { station, address } = await listening(t, { farewellTimeout: 50 });
    // The old connection: still open, but nobody answers.
    await peered(t, address, station);
    const zeek = new Station(t, { id: formatId(RAW_ID), tls: "off" });
    zeek.endpoint.dial(address);
    await until(() => station.has("peer-removed", "superseded"));
    await zeek.peer();
    assert.ok(zeek.has("handshake-failed", "refused-by-peer"));
    await until(() => station.endpoint.peers.length === 1);
  });

  test("a peer that is paused is not taken for dead", async (t) => {
    const { station, address } = await listening(t, {
      farewellTimeout: 20,
      heartbeat: { interval: 5, timeout: 20 },
    });
    const zeek = new Station(t, { id: LARGE_ID });
    zeek.endpoint.dial(address);
    const peer = await station.peer();
    await zeek.peer();
    peer.pause();
    const again = await RawPeer.connect(t, address);
    again.socket.write(encodeHandshake({ type: "hello", sender: parseId(LARGE_ID), minVersion: 1, maxVersion: 1 }));
    await until(() => station.has("handshake-failed", "redundant-connection"));
    // One that is not paused is given up in the same time.
    const dead = await RawPeer.connect(t, address);
    dead.socket.write(Buffer.concat([HELLO, synAck("")]));
    await until(() => station.has("peer-removed", "unresponsive"));
    peer.resume();
    await peer.ping();
    assert.deepEqual(station.endpoint.peers, [peer]);
  });

  test("of two handshakes of one peer at a time, one succeeds", async (t) => {
    const { station, address } = await listening(t);
    const [one, two] = await Promise.all([RawPeer.connect(t, address), RawPeer.connect(t, address)]);
    for (const raw of [one, two]) raw.socket.write(HELLO);
    await until(() => one.received.length > 40 && two.received.length > 40);
    for (const raw of [one, two]) raw.socket.write(synAck(""));
    await until(() => station.has("handshake-failed", "redundant-connection"));
    assert.equal(station.endpoint.peers.length, 1);
    assert.notEqual(one.isClosed && two.isClosed, true);
  });

  test("after dialling was stopped, a lost peer is not dialled again", async (t) => {
    const { station, address } = await listening(t);
    const zeek = new Station(t);
    const stop = zeek.endpoint.dial(address);
    await zeek.peer();
    stop();
    await station.endpoint.close();
    await until(() => zeek.has("peer-removed"));
    assert.equal(zeek.count("dialling-again"), 0);
  });

  test("an address where nobody listens is tried again", async (t) => {
    const zeek = new Station(t);
    zeek.endpoint.dial({ host: "127.0.0.1", port: 1 });
    await until(() => zeek.count("handshake-failed", "connect-failed") === 2);
  });
});
