import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { createMessageFactory, MESSAGE_TYPES } from "@threatbus/core";
import { indicator } from "@threatbus/testkit";
import { Backoff } from "../src/backoff.ts";
import { knowsSeveralFilters } from "../src/consumer.ts";
import { natsSchema } from "../src/options.ts";
import { Resumption } from "../src/resumption.ts";
import { filtersOf, typesOf, typesUnder } from "../src/subjects.ts";
import { Window } from "../src/window.ts";

test("settings: defaults, and names that become parts of subjects", () => {
  const options = natsSchema.parse({});
  assert.deepEqual(options.servers, ["nats://127.0.0.1:4222"]);
  assert.equal(
    options.consumer,
    hostname().replaceAll(/[^A-Za-z0-9_-]/g, (character) => (character === "." ? "_" : "-")),
  );
  assert.equal(natsSchema.parse({ instance: "sensor1.example.org" }).consumer, "sensor1_example_org");
  assert.equal(options.max_age, 7 * 86_400_000);
});

test("settings that are refused", () => {
  const refused: readonly unknown[] = [
    { instance: "a b" },
    { instance: "a>" },
    { stream: "A.B" },
    { servers: "nats://user:password@host" },
    { servers: [] },
    { servers: "http://host" },
    { user: "u" },
    { user: "u", password: "p", token: "t" },
    { tls: { cert: "c" } },
    { replicas: 2 },
    { max_message_bytes: "65MiB" },
    { ack_wait: "10ms" },
    { unknown: 1 },
  ];
  for (const settings of refused) assert.equal(natsSchema.safeParse(settings).success, false, JSON.stringify(settings));
});

test("filters and types", () => {
  assert.deepEqual(filtersOf(new Set(typesUnder("stix2"))), ["threatbus.stix2.indicator", "threatbus.stix2.sighting"]);
  assert.deepEqual(filtersOf(new Set(MESSAGE_TYPES)), ["threatbus.>"]);
  assert.deepEqual(typesOf(["threatbus.stix2.sighting"]), ["sighting"]);
  assert.deepEqual(typesOf([]), MESSAGE_TYPES);
  assert.deepEqual(typesOf(["threatbus.stix2.>"]), MESSAGE_TYPES);
  assert.deepEqual(typesUnder("other"), []);
  assert.deepEqual(["2.9.10", "2.10.0", "2.15.1", "3.0.0", "1.20.0"].map(knowsSeveralFilters), [
    false,
    true,
    true,
    true,
    false,
  ]);
});

test("the window is answered oldest first, and bounded in messages and bytes", () => {
  const factory = createMessageFactory("a");
  const window = new Window(3, 1_000_000);
  const [a, b, c] = [1, 2, 3].map(() => window.add(factory.stix(indicator())));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  assert.equal(window.free, 0);
  assert.equal(window.finish(b), 0);
  assert.deepEqual(window.waiting, [a, c]);
  assert.equal(window.finish(a), 2);
  assert.equal(window.free, 2);
  assert.equal(window.finish(c), 1);
  const narrow = new Window(10, 1);
  narrow.add(factory.stix(indicator()));
  assert.equal(narrow.free, 0);
});

test("newer messages wait for those that have to come again, and these for one another", () => {
  const message = (seq: number, length = 1) => ({ seq, data: { length } });
  const resumption = new Resumption<ReturnType<typeof message>>(10, 2, 100);
  const turns = [11, 10, 12, 10, 9, 13].map((seq) => resumption.admit(message(seq)).map((each) => each.seq));
  assert.deepEqual(turns, [[], [], [], [], [9, 10, 10, 11, 12], [13]]);

  const full = new Resumption<ReturnType<typeof message>>(10, 2, 100);
  assert.deepEqual(full.admit(message(11, 60)), []);
  assert.equal(full.admit(message(12, 60)).length, 2, "the order is given up before memory is");
  assert.equal(full.isWaiting, false);
});

test("pauses double up to ten seconds", () => {
  const backoff = new Backoff();
  const pauses = Array.from({ length: 9 }, () => backoff.next(() => 1));
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  backoff.reset();
  assert.equal(
    backoff.next(() => 0),
    50,
  );
});

test("the window has room again for a batch, or a quarter of what it holds", () => {
  const messages = createMessageFactory("a");
  const window = new Window(8, 1_000_000);
  const entries = Array.from({ length: 8 }, () => window.add(messages.stix(indicator())));
  assert.equal(window.hasRoomFor(256), false);
  const [first, second] = entries;
  assert.ok(first !== undefined && second !== undefined);
  window.finish(first);
  assert.equal(window.hasRoomFor(256), false);
  assert.equal(window.hasRoomFor(1), true);
  window.finish(second);
  assert.equal(window.hasRoomFor(256), true);
});
