import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { decodeEvent, type Endpoint } from "../src/index.ts";
import { formatId } from "../src/messages/endpoint-id.ts";
import { readFilter } from "../src/messages/filter.ts";
import { decodeHandshake } from "../src/messages/handshake-message.ts";
import { decodeNodeMessage } from "../src/messages/node-message.ts";
import { Reader } from "../src/wire/reader.ts";
import { framed, LOOPBACK, RawPeer, Station, until } from "./support.ts";
import { bytesOf, readSession, type VectorFrame } from "./vectors.ts";

const OPTIONS = { timeout: 20_000 };
const SESSIONS = ["session-originator", "session-responder"];
/** Bytes of a goodbye that each sender chooses. */
const BYE_NUMBER = 8;

suite("recorded sessions with Zeek 8.0.10, byte for byte", OPTIONS, () => {
  for (const session of SESSIONS) {
    for (const pace of ["whole frames", "single bytes"]) {
      test(`${session}: our listener, with Zeek's frames as ${pace}`, async (t) => {
        const frames = readSession(session);
        const station = new Station(t, sideOf(frames, "threatbus"));
        const raw = await RawPeer.connect(t, await station.endpoint.listen(LOOPBACK));
        for (const frame of frames) {
          if (frame.from === "zeek") write(raw, frame, pace === "single bytes");
          else await expectFrame(raw, frame, station.endpoint);
        }
        assert.equal(raw.received.length, 0);
        assert.equal(
          station.events.length,
          frames.filter((each) => each.from === "zeek" && each.what === "data").length,
        );
        raw.socket.end();
        await until(() => station.has("peer-removed", "left"));
      });
    }

    test(`${session}: our dialling side in the place of Zeek`, async (t) => {
      const frames = readSession(session);
      const goodbye = frames.findIndex(({ what }) => what === "ping");
      const station = new Station(t, sideOf(frames, "zeek"));
      const { address, accepted } = await RawPeer.listen(t);
      station.endpoint.dial(address);
      const raw = await accepted;
      for (const frame of frames.slice(0, goodbye)) {
        if (frame.from === "threatbus") write(raw, frame, false);
        else await expectFrame(raw, frame, station.endpoint);
      }
      await until(() => station.events.length === 2);
      const closing = station.endpoint.close();
      const expected = framed(bytesOf(frames[goodbye] ?? assert.fail("no goodbye")));
      await until(() => raw.received.length >= expected.length);
      assert.deepEqual(raw.received.subarray(0, -BYE_NUMBER), expected.subarray(0, -BYE_NUMBER));
      const answer = Buffer.from(bytesOf(frames[goodbye + 1] ?? assert.fail("no answer")));
      raw.received.subarray(-BYE_NUMBER).copy(answer, answer.length - BYE_NUMBER);
      raw.send(answer);
      await closing;
      assert.ok(station.has("peer-removed", "closed"));
    });
  }

  test("logs that Zeek sends unasked are ignored", async (t) => {
    const frames = readSession("session-originator");
    const station = new Station(t, sideOf(frames, "threatbus"));
    const raw = await RawPeer.connect(t, await station.endpoint.listen(LOOPBACK));
    const handshake = frames.slice(
      0,
      frames.findIndex(({ what }) => what === "data"),
    );
    for (const frame of handshake.filter(({ from }) => from === "zeek")) write(raw, frame, false);
    const logs = readSession("session-log-frames");
    for (const frame of logs) write(raw, frame, false);
    await until(() => station.count("ignored", "not-subscribed") === logs.length);
    assert.equal(station.events.length, 0);
    assert.equal(station.endpoint.peers.length, 1);
  });
});

/** Options of an endpoint that is one side of a session: the id and the filter that it shows there. */
function sideOf(frames: readonly VectorFrame[], side: string) {
  const messages = frames
    .filter(({ from, what }) => from === side && !what.startsWith("data"))
    .map((frame) => decodeHandshake(bytesOf(frame), 100))
    .filter((message) => message !== undefined);
  const identified = messages.find((message) => "sender" in message);
  const wanting = messages.find((message) => "filter" in message);
  assert.ok(identified !== undefined && wanting !== undefined);
  return { id: formatId(identified.sender), subscriptions: wanting.filter.topics, tls: "off" } as const;
}

function write(raw: RawPeer, frame: VectorFrame, bytewise: boolean): void {
  const bytes = framed(bytesOf(frame));
  if (!bytewise) raw.socket.write(bytes);
  else for (const byte of bytes) raw.socket.write(Buffer.of(byte));
}

/** Has `endpoint` send what it does not send by itself, and takes it off what `raw` has received. */
async function expectFrame(raw: RawPeer, frame: VectorFrame, endpoint: Endpoint): Promise<void> {
  const expected = framed(bytesOf(frame));
  if (frame.what.startsWith("data")) {
    const { topic, payload } = decodeNodeMessage(bytesOf(frame));
    const event = decodeEvent(payload) ?? assert.fail("no event");
    // As soon as there is a peer that has subscribed.
    await until(() => endpoint.publish(topic, event).sent === 1);
  } else if (frame.what === "routing_update") {
    const { payload } = decodeNodeMessage(bytesOf(frame));
    const isNew = (topic: string) => !endpoint.subscriptions.includes(topic);
    for (const topic of readFilter(new Reader(payload), 100).topics.filter(isNew)) endpoint.subscribe(topic);
  }
  await until(() => raw.received.length >= expected.length);
  assert.deepEqual(raw.received.subarray(0, expected.length), expected, frame.what);
  raw.received = raw.received.subarray(expected.length);
}
