import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encodeStix, parseStix } from "@threatbus/stix";
import { decodeEvent, encodeEvent, Value, type ZeekEvent } from "@threatbus/zeek-broker";
import { acknowledgement, intelEvent, MANAGE_TOPIC, readManagement } from "../src/events.ts";
import { type IntelItem, intelItem } from "../src/intel.ts";
import { sightingOf } from "../src/sighting.ts";
import {
  eventOf,
  namespaceOf,
  type PlainEvent,
  type PlainValue,
  readVectors,
  toValue,
  type Vector,
} from "./vectors.ts";

interface Expected {
  readonly result: string;
  readonly name?: string;
  readonly args?: readonly PlainValue[];
  readonly serialized?: string;
  readonly topic?: PlainValue;
  readonly snapshot?: PlainValue;
}

const expectedOf = ({ expected, better }: Vector) => (better ?? expected) as Expected;

/** The item for the object of a vector; undefined for whatever does not map, or is not on the bus at all. */
function itemOf({ input }: Vector): IntelItem | undefined {
  const parsed = parseStix(Buffer.from(JSON.stringify(input.stix)));
  if (!parsed.ok || parsed.value.object.type !== "indicator") return undefined;
  const item = intelItem(parsed.value.object);
  return typeof item === "string" ? undefined : item;
}

for (const vector of readVectors("indicator-to-event")) {
  test(`${vector.name}: indicator to event`, () => {
    const expected = expectedOf(vector);
    const item = itemOf(vector);
    if (expected.result === "null") return assert.equal(item, undefined);
    assert.ok(item !== undefined);
    const event = intelEvent(item, namespaceOf(vector));
    const wanted: ZeekEvent = eventOf({ name: String(expected.name), args: expected.args ?? [] });
    if (!/year/.test(vector.name)) return assert.deepEqual(event, wanted);
    // A time of Zeek's is 64 bits of nanoseconds: these vectors come from a stand-in that kept it as text.
    const [record] = wanted.args;
    const [time] = record?.type === "vector" ? record.value : [];
    assert.equal(time?.type === "timestamp" ? time.value / 1_000n : undefined, item.created);
    assert.deepEqual(withoutTime(event), withoutTime(wanted));
  });
}

function withoutTime({ name, args }: ZeekEvent): unknown {
  return [name, ...args.map((arg) => (arg.type === "vector" ? arg.value.slice(1) : arg))];
}

for (const vector of readVectors("event-to-sighting")) {
  test(`${vector.name}: event to sighting`, () => {
    const expected = expectedOf(vector);
    const sighting = sightingOf(eventOf(vector.input.event as PlainEvent), namespaceOf(vector));
    assert.equal(sighting.ok, expected.result === "v21.Sighting");
    if (!sighting.ok) return;
    const { id, created } = sighting.value.object;
    assert.match(id, /^sighting--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.ok(Math.abs(Date.now() - Date.parse(created)) < 60_000);
    // Where the original could not write its own object there is no text to compare with: see "all types" below.
    if (expected.serialized === undefined) return;
    const text = expected.serialized.replace("$uuid4", id.slice("sighting--".length)).replaceAll("$now", created);
    const wanted = parseStix(Buffer.from(text));
    assert.ok(wanted.ok);
    // In normalised form, where an empty list counts as absent.
    assert.deepEqual(
      JSON.parse(sighting.value.bytes.toString()),
      JSON.parse(encodeStix(wanted.value.object).toString()),
    );
  });
}

for (const vector of readVectors("management-event")) {
  test(`${vector.name}: management event`, () => {
    const expected = expectedOf(vector);
    const read = readManagement(eventOf(vector.input.event as PlainEvent), namespaceOf(vector));
    const { result, topic, snapshot } = expected;
    if (result === "null") return assert.equal(read, undefined);
    assert.deepEqual(loose(read), {
      kind: result === "Subscription" ? "subscribe" : "unsubscribe",
      ...(topic === undefined ? {} : { topic: loose(toValue(topic)) }),
      ...(snapshot === undefined ? {} : { snapshot: loose(toValue(snapshot)) }),
    });
  });
}

/** With count and integer as one type: the stand-in of the vectors did not keep them apart. */
function loose(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_name, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)).replaceAll(
      '"type":"count"',
      '"type":"integer"',
    ),
  );
}

test("the events on the wire are those that Zeek 8.0.10 took and sent", () => {
  const { frames } = JSON.parse(readFileSync(new URL("./vectors/session-responder.json", import.meta.url), "utf8")) as {
    readonly frames: readonly { readonly from: string; readonly what: string; readonly hex: string }[];
  };
  /** Payloads of the data messages: sender, receiver, type, TTL and topic stand before them. */
  const payloads = frames
    .filter(({ what }) => what.startsWith("data"))
    .map(({ from, hex }) => {
      const bytes = Buffer.from(hex, "hex");
      return { from, topic: bytes.toString("utf8", 37, 37 + bytes.readUInt16BE(35)), bytes };
    })
    .map(({ from, topic, bytes }) => ({ from, topic, payload: bytes.subarray(37 + topic.length) }));
  const [subscribe, acknowledged, intel, sighting] = payloads;
  assert.ok(subscribe && acknowledged && intel && sighting);

  assert.deepEqual(readManagement(decode(subscribe.payload), "Tenzir"), {
    kind: "subscribe",
    topic: Value.string("stix2/indicator"),
    snapshot: Value.timespan(0n),
  });
  assert.equal(acknowledged.topic, MANAGE_TOPIC);
  assert.deepEqual(encodeEvent(acknowledgement(intel.topic, "Tenzir")), acknowledged.payload);
  const id = "indicator--df0f9a0e-c3b6-4f53-b0cf-5e9c454ee0cc";
  const created = 1_700_000_000_000_000n;
  const item = { created, id, type: "DOMAIN", value: "example.com", operation: "ADD" } as const;
  assert.deepEqual(encodeEvent(intelEvent(item, "Tenzir")), intel.payload);
  const made = sightingOf(decode(sighting.payload), "Tenzir");
  assert.ok(made.ok);
  assert.equal(made.value.object.sighting_of_ref, id);
  assert.deepEqual(readManagement(decode(payloads.at(-1)?.payload ?? Buffer.alloc(0)), "Tenzir"), {
    kind: "unsubscribe",
    topic: Value.string(intel.topic),
  });
});

function decode(payload: Buffer): ZeekEvent {
  const event = decodeEvent(payload);
  assert.ok(event !== undefined);
  return event;
}
