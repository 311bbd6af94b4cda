import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_REQUEST_BYTES, readRequest } from "../src/requests.ts";

const read = (request: unknown) => readRequest(Buffer.from(JSON.stringify(request)));

/** Why the reply to a request says error. */
function errorOf(request: unknown): string {
  const result = read(request);
  assert.equal(result.ok, false);
  assert.equal(result.reply.status, "error");
  return result.reply.message ?? "";
}

test("a subscription carries a name and a content filter", () => {
  const result = read({ action: "subscribe", topic: "stix2", name: "sensor 1", filter: { min_confidence: 50 } });
  assert.deepEqual(result, {
    ok: true,
    request: {
      action: "subscribe",
      topics: ["stix2"],
      snapshotSeconds: 0,
      name: "sensor 1",
      filter: { min_confidence: 50 },
    },
  });
});

test("extensions that are null count as absent", () => {
  const result = read({ action: "subscribe", topic: "stix2", name: null, filter: null, from: null });
  assert.deepEqual(result, { ok: true, request: { action: "subscribe", topics: ["stix2"], snapshotSeconds: 0 } });
});

test("repeated topics count once", () => {
  const result = read({ action: "subscribe", topic: ["a", "b", "a"] });
  assert.deepEqual(result, { ok: true, request: { action: "subscribe", topics: ["a", "b"], snapshotSeconds: 0 } });
});

/** What a request with these members asks for. */
function resumeOf(members: object): unknown {
  const result = read({ action: "subscribe", topic: "stix2", ...members });
  assert.ok(result.ok && result.request.action === "subscribe");
  const { from, positions } = result.request;
  return { from, positions };
}

test("a subscription says where in the log it begins, and whether it wants positions", () => {
  const resume = (from: unknown, positions?: true) => ({ from, positions });
  assert.deepEqual(resumeOf({ from: 0 }), resume({ kind: "position", position: 0 }));
  assert.deepEqual(resumeOf({ from: 7, log: "a" }), resume({ kind: "position", position: 7, log: "a" }));
  assert.deepEqual(resumeOf({ from: "earliest", log: "a" }), resume({ kind: "earliest" }));
  assert.deepEqual(resumeOf({ from: "latest", positions: true }), resume({ kind: "latest" }, true));
  const time = Date.UTC(2026, 10, 23, 10);
  for (const text of ["2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000Z", "2026-11-23T11:30:00+01:30"]) {
    assert.deepEqual(resumeOf({ from: text }), resume({ kind: "time", time }), text);
  }
  for (const members of [{}, { positions: false }, { positions: null, log: null, from: null }, { log: "a" }]) {
    assert.deepEqual(resumeOf(members), resume(undefined), JSON.stringify(members));
  }
});

test("a start, a log or a wish for positions that says nothing is refused", () => {
  const bad = [
    -1,
    1.5,
    2 ** 53,
    true,
    "",
    "5",
    "soon",
    "2026-11-23",
    "2026-11-23T10:00:00",
    "2026-02-31T10:00:00Z",
    [],
    {},
  ];
  for (const from of bad) assert.match(errorOf({ action: "subscribe", topic: "a", from }), /^from must be/, `${from}`);
  for (const log of ["", "x".repeat(65), 7, {}]) {
    assert.match(errorOf({ action: "subscribe", topic: "a", from: 1, log }), /^log must be/);
  }
  for (const positions of [1, "yes", {}]) {
    assert.match(errorOf({ action: "subscribe", topic: "a", positions }), /^positions must be/);
  }
});

test("a bad filter is refused with the member that is wrong", () => {
  assert.match(errorOf({ action: "subscribe", topic: "stix2", filter: { min_confidence: "high" } }), /min_confidence/);
  assert.match(errorOf({ action: "subscribe", topic: "stix2", filter: { colour: "red" } }), /colour/);
});

test("names and topics are bounded", () => {
  assert.match(errorOf({ action: "subscribe", topic: "stix2", name: "x".repeat(201) }), /name/);
  assert.match(errorOf({ action: "subscribe", topic: "stix2", name: "line\nbreak" }), /name/);
  assert.match(errorOf({ action: "subscribe", topic: "stix2", name: 7 }), /name/);
  assert.match(errorOf({ action: "subscribe", topic: "é".repeat(501) }), /longer than 1000 bytes/);
  assert.match(errorOf({ action: "subscribe", topic: new Array(101).fill("a") }), /more than 100 topics/);
  const many = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(1_000, "x"));
  assert.equal(read({ action: "subscribe", topic: many }).ok, true);
});

test("a request over the size limit is refused unread", () => {
  const body = Buffer.from(JSON.stringify({ action: "subscribe", topic: "a", pad: "x".repeat(MAX_REQUEST_BYTES) }));
  const result = readRequest(body);
  assert.equal(result.ok, false);
  assert.match(result.reply.message ?? "", /larger/);
});

test("a quarter of a million brackets are refused, and do not exhaust the stack", () => {
  const result = readRequest(Buffer.from("[".repeat(MAX_REQUEST_BYTES)));
  assert.equal(result.ok, false);
  const nested = readRequest(
    Buffer.from(`{"action":"subscribe","topic":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
  );
  assert.equal(nested.ok, false);
});
