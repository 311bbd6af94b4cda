import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { ImportRequest } from "../src/inbound/import-request.ts";
import { openctiIndicator } from "./stand-in/indicators.ts";
import { OpenctiState } from "./stand-in/state.ts";
import { type Reader, startReader, startStandIn, temporaryFolder } from "./support.ts";

const ids = (reader: Reader): string[] => reader.accepted.map(([id]) => id);

/** A database that has so many indicators, written one after the other. */
function filled(count: number): { state: OpenctiState; wanted: string[] } {
  const state = new OpenctiState();
  const wanted = Array.from({ length: count }, () => openctiIndicator()).map((data) => {
    state.emit({ event: "create", data });
    return data.id;
  });
  return { state, wanted };
}

test("without a word nothing of what exists is imported", async (t) => {
  const { state } = filled(3);
  const opencti = await startStandIn(t, { state });
  const reader = await startReader(t, opencti);
  await eventually("connected", () => reader.health.connected);
  const data = openctiIndicator();
  state.emit({ event: "create", data });
  await eventually("accepted", () => reader.accepted.length > 0);
  assert.deepEqual(ids(reader), [data.id]);
});

test("the first start imports what exists, if that is wanted, once, and then reads on", async (t) => {
  const { state, wanted } = filled(20);
  const folder = await temporaryFolder(t);
  const opencti = await startStandIn(t, { state });
  const first = await startReader(t, opencti, { folder, importFrom: new Date(0) });
  await eventually("all accepted", () => new Set(ids(first)).size === 20);
  assert.deepEqual(new Set(ids(first)), new Set(wanted));
  await eventually("the replay has ended", () => first.replays === 1);
  assert.match(opencti.requests.at(-1)?.url ?? "", /\?from=0-0&recover=20\d\d-/);
  const data = openctiIndicator();
  state.emit({ event: "create", data });
  await eventually("accepted", () => ids(first).includes(data.id));
  await eventually("position", () => first.state.position?.recoverUntil === undefined);
  assert.equal(await first.stop(), undefined);
  const second = await startReader(t, opencti, { folder, importFrom: new Date(0) });
  await eventually("connected", () => second.health.connected);
  const next = openctiIndicator();
  state.emit({ event: "create", data: next });
  await eventually("accepted", () => ids(second).includes(next.id));
  assert.deepEqual(ids(second), [next.id]);
});

test("an import that is cut goes on, and ends with everything", async (t) => {
  const { state, wanted } = filled(200);
  const opencti = await startStandIn(t, { state });
  opencti.faults.delay = 1;
  const reader = await startReader(t, opencti, { importFrom: new Date(0) });
  for (const count of [20, 80, 140]) {
    await eventually(`${count} accepted`, () => reader.accepted.length >= count);
    opencti.disconnectAll();
  }
  await eventually("the replay has ended", () => reader.replays === 1);
  assert.deepEqual(new Set(ids(reader)), new Set(wanted));
});

test("a connector that runs imports when it is asked to, also what the bus had", async (t) => {
  const opencti = await startStandIn(t);
  const reader = await startReader(t, opencti);
  await eventually("connected", () => reader.health.connected);
  const data = openctiIndicator();
  opencti.state.emit({ event: "create", data });
  await eventually("accepted", () => reader.accepted.length === 1);
  await reader.request.ask(new Date(0));
  await eventually("accepted again", () => reader.accepted.length === 2);
  await eventually("the replay has ended", () => reader.replays === 1);
  assert.deepEqual(reader.accepted, [
    [data.id, undefined],
    [data.id, undefined],
  ]);
  assert.equal(await reader.request.pending(), undefined);
});

test("what was asked for while no connector ran begins with its start, over one connection more than usual", async (t) => {
  const { state, wanted } = filled(3);
  const opencti = await startStandIn(t, { state });
  opencti.faults.delay = 50;
  const folder = await temporaryFolder(t);
  await new ImportRequest(join(folder, "import.request")).ask(new Date(0));
  const reader = await startReader(t, opencti, { folder });
  await eventually("the replay has ended", () => reader.replays === 1);
  assert.deepEqual(new Set(ids(reader)), new Set(wanted));
  assert.equal(opencti.requests.length, 2);
  assert.equal(reader.pauses.length, 0);
});

test("where the stream has lost events, what was changed comes from the database", async (t) => {
  const opencti = await startStandIn(t);
  const folder = await temporaryFolder(t);
  const { state } = opencti;
  const first = await startReader(t, opencti, { folder });
  await eventually("connected", () => first.health.connected);
  const kept = openctiIndicator();
  const turnedOff = openctiIndicator();
  for (const data of [kept, turnedOff]) state.emit({ event: "create", data });
  await eventually("both accepted", () => first.accepted.length === 2);
  assert.equal(await first.stop(), undefined);

  state.emit({
    event: "update",
    data: openctiIndicator({ id: turnedOff.id, detection: false, modified: "2024-07-01T00:00:00.000Z" }),
  });
  const missed = openctiIndicator();
  state.emit({ event: "create", data: missed });
  state.emit({ event: "create", data: openctiIndicator({ detection: false }) });
  state.trim(1);
  const second = await startReader(t, opencti, { folder });
  await eventually("both accepted", () => second.accepted.length === 2);
  assert.deepEqual(second.accepted, [
    [turnedOff.id, "REMOVE"],
    [missed.id, undefined],
  ]);
  assert.ok(
    second.logger.lines.some(({ level, message }) => level === "warn" && /no longer has the events/.test(message)),
  );
  await eventually("the replay has ended", () => second.replays === 1);
});
