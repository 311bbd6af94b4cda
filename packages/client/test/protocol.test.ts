import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeFrame,
  decodeReply,
  decodeRequest,
  decodeSubscribeReply,
  encodeFrame,
  encodePositionFrame,
  encodeReply,
  encodeRequest,
  MAX_MANAGEMENT_BYTES,
  MAX_TOPIC_BYTES,
  messageTypeOf,
  positionOf,
} from "@threatbus/client/protocol";

const P = "abcdefghijklmnopqrstuvwxyzabcdef";

test("requests are written as old servers read them, and read back", () => {
  const request = { action: "subscribe", topic: ["stix2/indicator", "stix2/sighting"], snapshot: 2 } as const;
  const bytes = encodeRequest(request);
  assert.equal(bytes.toString(), '{"action":"subscribe","topic":["stix2/indicator","stix2/sighting"],"snapshot":2}');
  assert.deepEqual(decodeRequest(bytes), request);
  const beat = Buffer.from('{"action": "heartbeat", "topic": "x"}');
  assert.deepEqual(decodeRequest(beat), { action: "heartbeat", topic: "x" });
});

test("anything else is no request", () => {
  const bad = ["", "[]", "null", "{}", '{"action":"subscribe","topic":[]}', '{"action":"heartbeat","topic":null}'];
  bad.push('{"action":"SUBSCRIBE","topic":"x"}', '{"action":"subscribe","topic":"x","snapshot":-1}');
  bad.push('\uFEFF{"action":"heartbeat","topic":"x"}', '{"action":"subscribe","topic":"x","filter":{"labelz":[]}}');
  for (const text of bad) assert.throws(() => decodeRequest(Buffer.from(text)), text);
  assert.throws(() => decodeRequest(Buffer.from([0xff, 0xfe, 0x7b])), /UTF-8/);
  assert.throws(() => decodeRequest(Buffer.alloc(MAX_MANAGEMENT_BYTES + 1, 0x20)), /longer/);
});

test("requests that begin in the durable log", () => {
  const base = { action: "subscribe", topic: "stix2", positions: true } as const;
  for (const from of [0, 4_711, "earliest", "latest", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.25+01:00"]) {
    const request = { ...base, from, log: "log-1" };
    assert.deepEqual(decodeRequest(Buffer.from(JSON.stringify(request))), request);
  }
  const bad = [{ from: -1 }, { from: 1.5 }, { from: "soon" }, { from: "2026-02-31T10:00:00Z" }, { positions: 1 }];
  for (const members of [...bad, { log: "" }, { log: "x".repeat(65) }]) {
    const text = JSON.stringify({ ...base, ...members });
    assert.throws(() => decodeRequest(Buffer.from(text)), text);
  }
});

test("replies of old and new servers", () => {
  const text = `{"topic": "${P}", "pub_port": 13371, "sub_port": 13372, "status": "success"}`;
  const reply = { topic: P, pub_port: 13_371, sub_port: 13_372, status: "success" } as const;
  assert.deepEqual(decodeSubscribeReply(Buffer.from(text)), reply);
  assert.deepEqual(decodeSubscribeReply(encodeReply({ ...reply, position: 7, log: "a" })), {
    ...reply,
    position: 7,
    log: "a",
  });
  assert.deepEqual(decodeReply(Buffer.from('{"status": "unknown request"}')), { status: "unknown request" });
  const error = Buffer.from('{"status":"error","message":"why"}');
  assert.deepEqual(decodeSubscribeReply(error), { status: "error", message: "why" });
  for (const bad of ['{"status":"success"}', text.replace("13371", "0"), text.replace(P, "a b")]) {
    assert.throws(() => decodeSubscribeReply(Buffer.from(bad)), bad);
  }
});

test("position frames are told from messages, and read", () => {
  const bytes = encodePositionFrame(P, 4_711);
  assert.equal(bytes.toString(), `${P}position {"position":4711}`);
  const frame = decodeFrame(bytes);
  assert.ok(frame);
  assert.equal(messageTypeOf(frame.topic, P), undefined);
  assert.equal(positionOf(frame, P), 4_711);
  assert.equal(positionOf(frame, P.slice(1)), undefined);
  for (const payload of ["", "[]", '{"position":-1}', '{"position":1.5}', '{"position":null}']) {
    assert.throws(() => positionOf({ topic: `${P}position`, payload: Buffer.from(payload) }, P), payload);
  }
});

test("frames split at the first space, within bounds", () => {
  const frame = encodeFrame(`${P}indicator`, Buffer.from('{"a": 1}'));
  assert.equal(frame.toString(), `${P}indicator {"a": 1}`);
  const back = decodeFrame(frame);
  assert.equal(back?.topic, `${P}indicator`);
  assert.equal(back?.payload.toString(), '{"a": 1}');
  assert.equal(messageTypeOf(`${P}indicator`, P), "indicator");
  assert.equal(messageTypeOf(`${P}weather`, P), undefined);
  assert.equal(messageTypeOf("stix2/indicator", P), undefined);
  assert.equal(decodeFrame(Buffer.from("nospace")), undefined);
  assert.equal(decodeFrame(Buffer.from(" x")), undefined);
  assert.ok(decodeFrame(Buffer.from(`${"a".repeat(MAX_TOPIC_BYTES)} x`)));
  assert.equal(decodeFrame(Buffer.from(`${"a".repeat(MAX_TOPIC_BYTES + 1)} x`)), undefined);
  assert.throws(() => encodeFrame("a b", Buffer.alloc(0)), RangeError);
});
