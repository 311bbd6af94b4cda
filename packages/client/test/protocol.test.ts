import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeFrame,
  decodeReply,
  decodeRequest,
  decodeSubscribeReply,
  encodeFrame,
  encodeReply,
  encodeRequest,
  MAX_MANAGEMENT_BYTES,
  MAX_TOPIC_BYTES,
  messageTypeOf,
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

test("replies of old and new servers", () => {
  const text = `{"topic": "${P}", "pub_port": 13371, "sub_port": 13372, "status": "success"}`;
  const reply = { topic: P, pub_port: 13_371, sub_port: 13_372, status: "success" } as const;
  assert.deepEqual(decodeSubscribeReply(Buffer.from(text)), reply);
  assert.deepEqual(decodeSubscribeReply(encodeReply({ ...reply, position: 7 })), { ...reply, position: 7 });
  assert.deepEqual(decodeReply(Buffer.from('{"status": "unknown request"}')), { status: "unknown request" });
  const error = Buffer.from('{"status":"error","message":"why"}');
  assert.deepEqual(decodeSubscribeReply(error), { status: "error", message: "why" });
  for (const bad of ['{"status":"success"}', text.replace("13371", "0"), text.replace(P, "a b")]) {
    assert.throws(() => decodeSubscribeReply(Buffer.from(bad)), bad);
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
