import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Message } from "@threatbus/core";
import { encodeSnapshotRequest } from "@threatbus/stix";
import { encodeFrame, FRAME, frameHead, frameKind, payloadStart } from "../src/messages.ts";
import { Listener, Manager, publisher } from "./clients.ts";
import { startPlugin } from "./harness.ts";
import { indicatorJson, requestMessage, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

interface Put {
  readonly class: string;
  readonly serialized?: string;
  readonly snapshot_type?: string;
  readonly snapshot_id?: string;
  readonly body?: { readonly serialized: string };
}

type Vector =
  | {
      readonly name: string;
      readonly kind: "zmq-receive";
      readonly input: { readonly frames: readonly (string | { readonly hex: string })[] };
      readonly expected: readonly { readonly put: readonly Put[] }[];
      readonly better?: readonly { readonly put: readonly Put[] }[];
    }
  | {
      readonly name: string;
      readonly kind: "zmq-publish";
      readonly input: { readonly p2p_topic: string; readonly message: string; readonly stix?: object };
      readonly expected: { readonly frames: readonly string[] };
    };

const vectors = JSON.parse(
  readFileSync(new URL("./vectors/zmq-frames.json", import.meta.url), "utf8"),
) as readonly Vector[];

const SNAPSHOT_ID = "b5ad8b52-6b8e-4d4e-9f2a-0a9c9f0f6c11";
const INDICATOR = {
  type: "indicator",
  spec_version: "2.1",
  id: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  created: "2021-03-04T05:06:07.891Z",
  modified: "2021-03-05T05:06:07.891Z",
  pattern: "[ipv4-addr:value = '198.51.100.3']",
  pattern_type: "stix",
  pattern_version: "2.1",
  valid_from: "2021-03-04T05:06:07Z",
};
const SIGHTING = {
  type: "sighting",
  spec_version: "2.1",
  id: "sighting--df0f9a0e-c3b6-4f53-b0cf-5e9c454ee0cc",
  created: "2021-03-04T05:06:07.891Z",
  modified: "2021-03-05T05:06:07.891Z",
  sighting_of_ref: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
};

/** What a vector says of a message, made of the message. */
function describe(message: Message): unknown {
  if (message.type === "snapshotenvelope") {
    const { snapshotType, snapshotId, body } = message.envelope;
    return ["SnapshotEnvelope", snapshotType.toUpperCase(), snapshotId, JSON.parse(body.bytes.toString())];
  }
  return [message.type, JSON.parse(message.bytes.toString())];
}

function describeExpected(put: Put): unknown {
  if (put.class === "SnapshotEnvelope") {
    return [put.class, put.snapshot_type, put.snapshot_id, JSON.parse(put.body?.serialized ?? "")];
  }
  return [put.class.replace("v21.", "").toLowerCase(), JSON.parse(put.serialized ?? "")];
}

for (const vector of vectors) {
  if (vector.kind !== "zmq-receive") continue;
  test(`from an app: ${vector.name}`, async (t) => {
    const harness = await startPlugin(t);
    const publish = await publisher(t, harness);
    for (const frame of vector.input.frames) publish(typeof frame === "string" ? frame : Buffer.from(frame.hex, "hex"));
    const end = stixMessage(indicatorJson());
    publish(encodeFrame("stix2/indicator", end.bytes));
    const puts = (vector.better ?? vector.expected).flatMap(({ put }) => put);
    await until("the last message", () => harness.received.at(-1)?.bytes.equals(end.bytes) ?? false);
    assert.deepEqual(harness.received.slice(0, -1).map(describe), puts.map(describeExpected));
    const rejected = vector.input.frames.length - puts.length;
    assert.equal(await harness.metric("threatbus_messages_dropped_total"), rejected);
  });
}

/** The message that a vector names; undefined for what can never be on the bus. */
function named(name: string, stix: object | undefined): Message | undefined {
  const request = (snapshotType: "indicator" | "sighting"): Message => {
    const content = { type: "snapshotrequest", snapshotType, snapshotId: SNAPSHOT_ID, seconds: 432_000 } as const;
    return { ...requestMessage(SNAPSHOT_ID), request: content, bytes: encodeSnapshotRequest(content) };
  };
  if (stix !== undefined) return stixMessage(JSON.stringify(stix));
  if (name === "indicator") return stixMessage(JSON.stringify(INDICATOR));
  if (name === "sighting") return stixMessage(JSON.stringify(SIGHTING));
  if (name === "snapshotrequest-indicator") return request("indicator");
  return name === "snapshotrequest-sighting" ? request("sighting") : undefined;
}

/** A frame, taken apart: what stands before the first space, and the JSON value behind it. */
function takeApart(frame: string): unknown {
  const at = frame.indexOf(" ");
  return [frame.slice(0, at), JSON.parse(frame.slice(at + 1))];
}

for (const vector of vectors) {
  if (vector.kind !== "zmq-publish") continue;
  test(`to an app: ${vector.name}`, async (t) => {
    const message = named(vector.input.message, vector.input.stix);
    // What is no message of the bus cannot be sent: the reference sends nothing either.
    if (message === undefined) return assert.deepEqual(vector.expected.frames, []);
    const harness = await startPlugin(t);
    const { topic } = await new Manager(t, harness).subscribe([""]);
    const app = new Listener(t, harness, topic);
    harness.deliver(message);
    await until("the message", () => app.received.length > 0);
    const expected = vector.expected.frames.map((frame) => takeApart(frame.replace(vector.input.p2p_topic, topic)));
    assert.deepEqual(app.received.map(takeApart), expected);
  });
}

test("the vectors are all there", () => {
  assert.equal(vectors.filter(({ kind }) => kind === "zmq-receive").length, 19);
  assert.equal(vectors.filter(({ kind }) => kind === "zmq-publish").length, 11);
});

test("the kind of a frame goes by its topic's bytes", () => {
  const kind = (text: string) => {
    const frame = Buffer.from(text);
    return frameKind(frame, payloadStart(frame));
  };
  assert.equal(kind("stix2/indicator {}"), FRAME.stix);
  assert.equal(kind("stix2/ {}"), FRAME.stix);
  assert.equal(kind("stix2 {}"), FRAME.foreign);
  assert.equal(kind("threatbus/snapshotenvelope {}"), FRAME.envelope);
  assert.equal(kind("threatbus/snapshotenvelopes {}"), FRAME.foreign);
  assert.equal(kind("threatbus/snapshotrequest {}"), FRAME.foreign);
  assert.equal(kind(""), FRAME.noSpace);
  assert.equal(kind("stix2/indicator"), FRAME.noSpace);
  assert.equal(kind(`stix2/${"x".repeat(2_000)} {}`), FRAME.noSpace);
});

test("heads and frames fit together", () => {
  const head = frameHead("abc", "indicator");
  assert.equal(head.toString(), "abcindicator ");
  const frame = encodeFrame("abcindicator", "{}");
  assert.equal(payloadStart(frame), head.length);
});
