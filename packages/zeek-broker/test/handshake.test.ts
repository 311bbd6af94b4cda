import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseId } from "../src/messages/endpoint-id.ts";
import { Filter } from "../src/messages/filter.ts";
import { decodeHandshake, encodeHandshake, type HandshakeMessage } from "../src/messages/handshake-message.ts";
import { Handshake, HandshakeError, type HandshakeStep } from "../src/peering/handshake.ts";
import { bytesOf, readSession, type VectorFrame } from "./vectors.ts";

const SMALL = parseId("00000000-0000-1000-8000-00000000000a");
const LARGE = parseId("ffffffff-ffff-4fff-bfff-ffffffffffff");
const WANTED = new Filter(["threatbus/manage", "stix2/sighting"]);

interface Setup {
  readonly id?: Buffer;
  readonly dialled?: boolean;
  readonly isPeered?: boolean;
}

function handshake({ id = SMALL, dialled = false, isPeered = false }: Setup = {}): Handshake {
  return new Handshake({ id, dialled, filter: WANTED, isPeered: () => isPeered });
}

function decode(bytes: Uint8Array): HandshakeMessage {
  const message = decodeHandshake(bytes, 100);
  assert.ok(message !== undefined);
  return message;
}

/** Frames with their length, as they are sent. */
function framed(frame: VectorFrame): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytesOf(frame).length);
  return Buffer.concat([length, bytesOf(frame)]);
}

/** Plays one side's recorded frames to a handshake and gives what that sent, and its last step. */
function replay(shake: Handshake, frames: readonly VectorFrame[], other: "zeek" | "threatbus") {
  const sent = [shake.start()];
  let last: HandshakeStep = { frames: [] };
  for (const frame of frames.filter(({ from }) => from === other)) {
    last = shake.receive(decode(bytesOf(frame)));
    sent.push(...last.frames);
  }
  return { sent: Buffer.concat(sent), last };
}

/** The frames of a session up to the one that ends the handshake. */
function handshakeFrames(session: string): VectorFrame[] {
  const frames = readSession(session);
  return frames.slice(0, frames.findIndex(({ what }) => what === "originator_ack") + 1);
}

function idOf(frames: readonly VectorFrame[], from: string): Buffer {
  const message = frames.filter((frame) => frame.from === from).map((frame) => decode(bytesOf(frame)));
  const identified = message.find(({ type }) => type === "hello" || type === "version_select");
  assert.ok(identified !== undefined && "sender" in identified);
  return identified.sender;
}

suite("handshake", () => {
  for (const session of ["session-originator", "session-responder"]) {
    for (const side of ["zeek", "threatbus"] as const) {
      test(`${session}: the side of ${side} answers with the recorded bytes`, () => {
        const frames = handshakeFrames(session);
        const filters = frames.map((frame) => decode(bytesOf(frame)));
        const own = filters.find((message, index) => "filter" in message && frames[index]?.from === side);
        assert.ok(own !== undefined && "filter" in own);
        const shake = new Handshake({
          id: idOf(frames, side),
          dialled: side === "zeek",
          filter: own.filter,
          isPeered: () => false,
        });
        const other = side === "zeek" ? "threatbus" : "zeek";
        const { sent, last } = replay(shake, frames, other);
        assert.deepEqual(sent, Buffer.concat(frames.filter(({ from }) => from === side).map(framed)));
        assert.deepEqual(last.peer?.id, idOf(frames, other));
        assert.ok((last.peer?.filter.topics.length ?? 0) >= 2);
      });
    }
  }

  test("a hello that needs a later version is refused with code 2", () => {
    const error = failure(() => handshake().receive({ type: "hello", sender: LARGE, minVersion: 2, maxVersion: 3 }));
    assert.equal(error.failure, "incompatible-version");
    assert.deepEqual(dropOf(error), { code: 2, reason: "version range not supported" });
  });

  test("a second connection of a peer is refused with code 39", () => {
    const hello = { type: "hello", sender: LARGE, minVersion: 1, maxVersion: 1 } as const;
    const error = failure(() => handshake({ isPeered: true }).receive(hello));
    assert.equal(error.failure, "redundant-connection");
    assert.equal(dropOf(error).code, 39);
  });

  test("an endpoint does not peer with itself", () => {
    const hello = { type: "hello", sender: SMALL, minVersion: 1, maxVersion: 1 } as const;
    assert.equal(failure(() => handshake().receive(hello)).failure, "redundant-connection");
  });

  test("a wrong magic number is refused with code 38", () => {
    assert.throws(() => decodeHandshake(Buffer.from("075a45454c", "hex"), 100), { name: "WrongMagic" });
    assert.equal(dropOf(handshake().wrongMagic()).code, 38);
  });

  const hello = (sender: Buffer): HandshakeMessage => ({ type: "hello", sender, minVersion: 1, maxVersion: 1 });
  const select = (sender: Buffer): HandshakeMessage => ({ type: "version_select", sender, version: 1 });
  const syn: HandshakeMessage = { type: "originator_syn", filter: WANTED };
  const ack: HandshakeMessage = { type: "originator_ack" };
  const cases: [name: string, setup: Setup, messages: HandshakeMessage[]][] = [
    ["a filter before the version", {}, [syn]],
    ["the end before the beginning", {}, [ack]],
    ["two hellos", { id: LARGE }, [hello(SMALL), hello(SMALL)]],
    ["an answer to hello from the smaller id", { id: LARGE, dialled: true }, [hello(SMALL)]],
    ["a version from the larger id", { id: SMALL, dialled: true }, [select(LARGE)]],
    [
      "a version from another id than the hello",
      { id: LARGE },
      [hello(SMALL), select(parseId("11111111-1111-1111-1111-111111111111"))],
    ],
    [
      "the responder's filter from the originator",
      { id: LARGE },
      [hello(SMALL), select(SMALL), { type: "responder_syn_ack", filter: WANTED }],
    ],
    ["an originator's filter when we are the originator", { id: SMALL }, [hello(LARGE), syn]],
  ];
  for (const [name, setup, messages] of cases) {
    test(`refused as unexpected: ${name}`, () => {
      const shake = handshake(setup);
      shake.start();
      const error = failure(() => messages.map((message) => shake.receive(message)));
      assert.equal(error.failure, "unexpected-message");
    });
  }

  test("a refusal tells code and reason", () => {
    const shake = handshake({ dialled: true });
    const frame = encodeHandshake({ type: "drop_conn", sender: LARGE, code: 39, reason: "redundant" });
    const error = failure(() => shake.receive(decode(frame.subarray(4))));
    assert.equal(error.failure, "refused-by-peer");
    assert.match(error.message, /39.*redundant/);
  });
});

suite("filters", () => {
  test("a topic is covered by any of its prefixes", () => {
    const filter = new Filter(["a/b", "a", "b/c", "zeek/", "b/c/d", "ü"]);
    assert.deepEqual(filter.topics, ["a", "a/b", "b/c", "b/c/d", "zeek/", "ü"]);
    for (const topic of ["a", "a/b", "abc", "b/c", "b/cd", "b/c/z", "zeek/logs", "über"])
      assert.ok(filter.covers(topic), topic);
    for (const topic of ["", "b", "b/d", "b/", "zeek", "c", "zz"]) assert.ok(!filter.covers(topic), topic);
    assert.ok(new Filter([""]).covers("anything"));
    assert.ok(!new Filter([]).covers("anything"));
  });

  test("a filter with more topics than allowed is refused", () => {
    const frame = encodeHandshake({ type: "originator_syn", filter: new Filter(["a", "b", "c"]) });
    assert.throws(() => decodeHandshake(frame.subarray(4), 2), { name: "DecodeError", reason: "too-many-values" });
  });
});

function failure(action: () => unknown): HandshakeError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof HandshakeError);
    return error;
  }
  return assert.fail("no HandshakeError was thrown");
}

/** What the drop_conn says that a failed handshake sends. */
function dropOf(error: HandshakeError): { code: number; reason: string } {
  const message = decode(error.frames[0]?.subarray(4) ?? Buffer.alloc(0));
  assert.ok(message.type === "drop_conn");
  return { code: message.code, reason: message.reason };
}
