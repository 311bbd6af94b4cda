import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { OpenctiError } from "../src/graphql/index.ts";
import { openctiIndicator } from "./stand-in/indicators.ts";
import type { OpenctiStandIn } from "./stand-in/server.ts";
import { closedGate, type Reader, startReader, startStandIn, temporaryFolder } from "./support.ts";

/** Creates an indicator. @returns its id */
function create(opencti: OpenctiStandIn, options: Parameters<typeof openctiIndicator>[0] = {}): string {
  const data = openctiIndicator(options);
  opencti.state.emit({ event: "create", data });
  return data.id;
}

const ids = (reader: Reader): string[] => reader.accepted.map(([id]) => id);
const connected = (reader: Reader) => eventually("connected", () => reader.health.connected);

test("indicators come through in every framing that HTTP allows", async (t) => {
  for (const faults of [{}, { packet: 1 }, { lineEnd: "\r\n" as const }, { lineEnd: "\r\n" as const, packet: 7 }]) {
    const opencti = await startStandIn(t, { base: "/opencti" });
    Object.assign(opencti.faults, faults);
    create(opencti);
    const reader = await startReader(t, opencti);
    await connected(reader);
    const wanted = [create(opencti), create(opencti, { value: "évil.example" })];
    await eventually("both accepted", () => reader.accepted.length === 2);
    assert.deepEqual(ids(reader), wanted);
  }
});

test("an event of 3 MB comes through, one beyond the bound is counted, and what follows comes", async (t) => {
  const opencti = await startStandIn(t);
  const reader = await startReader(t, opencti, { maxFrameBytes: 4_000_000 });
  await connected(reader);
  const large = create(opencti, { members: { description: "x".repeat(3_000_000) } });
  create(opencti, { members: { description: "x".repeat(5_000_000) } });
  const last = create(opencti);
  await eventually("the last one accepted", () => ids(reader).includes(last));
  assert.deepEqual(ids(reader), [large, last]);
  assert.deepEqual(reader.dropped, ["event_too_large"]);
});

test("a malformed event, one of version 3 and one of our own writing lose no other", async (t) => {
  const opencti = await startStandIn(t);
  const reader = await startReader(t, opencti);
  reader.loops.ownUserId = opencti.state.users[0]?.id;
  await connected(reader);
  opencti.faults.garbage = '{"version":"4","data":{';
  create(opencti);
  await eventually("counted", () => reader.dropped.length === 1);
  opencti.state.emit({ event: "create", data: openctiIndicator(), version: "3" });
  opencti.state.emit({ event: "create", data: openctiIndicator(), origin: { user_id: reader.loops.ownUserId ?? "" } });
  const last = create(opencti);
  await eventually("the last one accepted", () => reader.accepted.length === 1);
  assert.deepEqual(ids(reader), [last]);
  assert.deepEqual(reader.dropped, ["malformed_event", "old_event_version"]);
});

test("it goes on behind what the bus has, also in a new process", async (t) => {
  const opencti = await startStandIn(t);
  const folder = await temporaryFolder(t);
  create(opencti);
  const first = await startReader(t, opencti, { folder });
  await connected(first);
  const seen = create(opencti);
  await eventually("accepted", () => first.accepted.length === 1);
  assert.equal(await first.stop(), undefined);
  const missed = [create(opencti), create(opencti)];
  const second = await startReader(t, opencti, { folder });
  await eventually("both accepted", () => second.accepted.length === 2);
  assert.deepEqual([ids(first), ids(second)], [[seen], missed]);
  assert.match(String(opencti.requests.at(-1)?.headers["last-event-id"]), /^\d+-\d+$/);
});

test("a connection cut between the frames of one event, or in the middle of a frame, loses nothing", async (t) => {
  const opencti = await startStandIn(t);
  opencti.faults.dependencies = 2;
  create(opencti);
  const reader = await startReader(t, opencti);
  await connected(reader);
  opencti.faults.cutBehindDependencies = true;
  const wanted = [create(opencti)];
  await eventually("accepted", () => reader.accepted.length === 1);
  opencti.faults.cutInFrame = true;
  wanted.push(create(opencti));
  await eventually("accepted", () => reader.accepted.length === 2);
  assert.deepEqual(ids(reader), wanted);
  assert.equal(opencti.requests.length, 4, "first contact, reading, and again after each cut");
});

test("what is sent twice is published once", async (t) => {
  const opencti = await startStandIn(t);
  opencti.faults.times = 3;
  const reader = await startReader(t, opencti);
  await connected(reader);
  const wanted = [create(opencti), create(opencti)];
  await eventually("both accepted", () => reader.accepted.length === 2);
  assert.deepEqual(ids(reader), wanted);
});

test("connections that OpenCTI ends are normal: it connects again and goes on", async (t) => {
  const opencti = await startStandIn(t);
  const reader = await startReader(t, opencti);
  await connected(reader);
  const wanted: string[] = [];
  for (let round = 1; round <= 3; round++) {
    wanted.push(create(opencti));
    await eventually("accepted", () => reader.accepted.length === round);
    opencti.disconnectAll();
    await eventually("cut", () => opencti.connections === 0);
  }
  wanted.push(create(opencti));
  await eventually("accepted", () => reader.accepted.length === 4);
  assert.deepEqual(ids(reader), wanted);
});

for (const status of [500, 503, 410]) {
  test(`it tries again after ${status}, with longer and longer pauses, and says why`, async (t) => {
    const opencti = await startStandIn(t);
    opencti.faults.streamStatus = status;
    const reader = await startReader(t, opencti);
    await eventually("nine attempts", () => reader.pauses.length >= 9);
    assert.ok((reader.pauses[0] ?? 0) >= 750 && (reader.pauses[0] ?? 0) <= 1_250, `${reader.pauses[0]}`);
    for (const pause of reader.pauses.slice(7)) assert.ok(pause >= 45_000 && pause <= 75_000, `${pause}`);
    assert.deepEqual(reader.health.connected, false);
    assert.match(reader.health.detail, status === 410 ? /stopped in OpenCTI \(410\)/ : new RegExp(`\\(${status}\\)`));
    opencti.faults.streamStatus = undefined;
    await connected(reader);
    const id = create(opencti);
    await eventually("accepted", () => ids(reader).includes(id));
  });
}

test("a refusal is asked about once a minute, and told apart by what OpenCTI knows of the token", async (t) => {
  const opencti = await startStandIn(t, { streamId: "0b6c2c55-1a6d-4d11-8a3c-1f9f1c1e7b11" });
  const cases = [
    { access: true, token: undefined, streamId: "unknown", expected: /token is valid, so it is one of the others$/ },
    { access: false, token: "wrong", streamId: undefined, expected: /; it is the token$/ },
    {
      access: undefined,
      token: "wrong",
      streamId: undefined,
      expected: /refuses the stream \(401\).*any of its markings$/,
    },
  ];
  for (const { access, token, streamId, expected } of cases) {
    const reader = await startReader(t, opencti, {
      access: () => Promise.resolve(access),
      ...(token === undefined ? {} : { token }),
      ...(streamId === undefined ? {} : { streamId }),
    });
    await eventually("refused twice", () => reader.pauses.length >= 2);
    assert.deepEqual(reader.pauses.slice(0, 2), [60_000, 60_000]);
    assert.match(reader.health.detail, expected);
    assert.equal(await reader.stop(), undefined);
  }
});

test("a token that is refused before the stream is opened is asked about once a minute, too", async (t) => {
  const opencti = await startStandIn(t);
  const prepare = () => Promise.reject(new OpenctiError("credentials", "AUTH_REQUIRED", "who are you?"));
  const reader = await startReader(t, opencti, { prepare });
  await eventually("refused twice", () => reader.pauses.length >= 2);
  assert.deepEqual(reader.pauses.slice(0, 2), [60_000, 60_000]);
  assert.deepEqual(reader.health, { connected: false, detail: "who are you?" });
  assert.deepEqual(opencti.requests, []);
});

test("a page instead of a stream is told as what it is", async (t) => {
  const opencti = await startStandIn(t);
  opencti.faults.page = "<html>log in</html>";
  const reader = await startReader(t, opencti);
  await eventually("refused", () => reader.pauses.length > 0);
  assert.match(reader.health.detail, /no event stream: is opencti.url/);
});

test("a stream that falls silent is given up, if it had heartbeats", async (t) => {
  const opencti = await startStandIn(t);
  opencti.faults.heartbeat = 10;
  create(opencti);
  const reader = await startReader(t, opencti, { silence: 1_000 });
  await connected(reader);
  const seen = create(opencti);
  await eventually("accepted", () => ids(reader).includes(seen));
  await eventually("heartbeats", () => opencti.heartbeats > 2);
  opencti.faults.mute = true;
  await eventually("given up", () => /nothing came from OpenCTI for 1 s/.test(reader.health.detail));
  opencti.faults.mute = false;
  const id = create(opencti);
  await eventually("accepted", () => ids(reader).includes(id));
});

test("a stream without a position sends no heartbeats, and is not given up for it", async (t) => {
  const opencti = await startStandIn(t);
  opencti.faults.hideRange = true;
  opencti.faults.heartbeat = 10;
  const reader = await startReader(t, opencti, { silence: 500 });
  await connected(reader);
  const { length } = opencti.requests;
  opencti.faults.delay = 1_500;
  const id = create(opencti);
  await eventually("accepted", () => ids(reader).includes(id));
  assert.equal(opencti.requests.length, length);
  assert.match(String(reader.state.position?.from), /^\d+-\d+$/);
});

test("a slow bus holds up OpenCTI, not this process: what waits is bounded", async (t) => {
  const opencti = await startStandIn(t);
  opencti.faults.heartbeat = 5;
  const gate = closedGate();
  let largest = 0;
  const reader = await startReader(t, opencti, {
    silence: 1_000,
    publish: async (messages, signal) => {
      largest = Math.max(
        largest,
        messages.reduce((sum, { bytes }) => sum + bytes.length, 0),
      );
      await gate.publish(messages, signal);
    },
  });
  await connected(reader);
  const before = process.memoryUsage().external;
  const wanted: string[] = [];
  for (let index = 0; index < 150; index++) {
    // 150 MB in all, on the same text.
    wanted.push(create(opencti, { members: { description: "x".repeat(1_000_000) } }));
  }
  // The stand-in writes as long as somebody reads: when it has written no more for a while, nobody does.
  await eventually("the reader has stopped reading", async () => {
    const written = opencti.bytesWritten;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return written > 1_000_000 && opencti.bytesWritten === written;
  });
  assert.ok(opencti.bytesWritten < 60_000_000, `${opencti.bytesWritten} bytes were taken`);
  assert.ok(process.memoryUsage().external - before < 120_000_000);
  const held = performance.now();
  await eventually("it has been held up for longer than a silence may last", () => performance.now() - held > 1_500);
  gate.open();
  await eventually("all accepted", () => reader.accepted.length === wanted.length);
  assert.deepEqual(ids(reader), wanted);
  assert.ok(largest < 12_000_000, `${largest} bytes in one batch`);
  assert.equal(reader.pauses.length, 0, "waiting for the bus is no silence of OpenCTI");
});

test("a bus that refuses ends the reading, and the next one begins behind what was accepted", async (t) => {
  const opencti = await startStandIn(t);
  const folder = await temporaryFolder(t);
  create(opencti);
  let fails = false;
  const publish = () => (fails ? Promise.reject(new Error("no")) : Promise.resolve());
  const first = await startReader(t, opencti, { folder, publish });
  await connected(first);
  const seen = create(opencti);
  await eventually("accepted", () => ids(first).includes(seen));
  fails = true;
  const missed = create(opencti);
  await eventually("failed", () => opencti.connections === 0);
  assert.equal(String(await first.stop()), "Error: no");
  const second = await startReader(t, opencti, { folder });
  await eventually("accepted", () => second.accepted.length === 1);
  assert.deepEqual(ids(second), [missed]);
});
