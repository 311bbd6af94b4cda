/** Searches of stored events, with the stand-in for VAST as a real process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, indicator } from "@threatbus/testkit";
import { iocOf } from "../src/ioc.ts";
import type { Match } from "../src/matches.ts";
import { RetroMatching } from "../src/retro.ts";
import { type Parts, vastParts } from "./support/session.ts";

const event = (uid: string) => JSON.stringify({ ts: "2024-06-10T06:11:02.123456", uid });

function retro(parts: Parts, options: Partial<ConstructorParameters<typeof RetroMatching>[0]> = {}): RetroMatching {
  return new RetroMatching({ ...parts, maxQueries: 4, maxEvents: 0, timeout: 0, ...options });
}

/** Searches for the address of the sample indicator. */
function search(parts: Parts, matching = retro(parts)): Promise<void> {
  const { object, bytes } = indicator();
  const ioc = iocOf(object.pattern);
  assert.ok(ioc);
  return matching.match({ object, bytes }, ioc, parts.signal);
}

const uids = (parts: Parts) => parts.matches.map(({ event: { object } }) => object.uid);

test("every event of a search is reported, and lines that are none are counted", async (t) => {
  const lines = [event("a"), "no event", JSON.stringify({ uid: "timeless" }), event("b")];
  const parts = await vastParts(t, { answers: [{ query: "198.51.100.3", lines }] });
  await search(parts);
  assert.deepEqual(uids(parts), ["a", "b"]);
  assert.deepEqual(
    [...parts.dropped],
    [
      ["event_not_json", 1],
      ["event_without_time", 1],
    ],
  );
  assert.deepEqual(await parts.stub.calls(), [
    "status",
    "export --help",
    "export --caf.scheduler.max-threads=1 json 198.51.100.3",
  ]);
  assert.match(
    parts.metrics.takeFields().join(),
    /^retro_matches_per_ioc_min=2,.*max=2,.*avg=2,retro_query_time_per_ioc_min=/,
  );
});

test("--low-priority is used where VAST has it, and --max-events where there is a limit", async (t) => {
  const parts = await vastParts(t, {
    lowPriority: true,
    answers: [{ query: "198.51.100.3", lines: ["a", "b", "c"].map(event), after: "hang" }],
  });
  // The stand-in does not keep to the limit: the search is ended all the same.
  await search(parts, retro(parts, { maxEvents: 2 }));
  assert.deepEqual(uids(parts), ["a", "b"]);
  const calls = await parts.stub.calls();
  assert.ok(calls.includes("export --caf.scheduler.max-threads=1 --low-priority --max-events=2 json 198.51.100.3"));
});

test("what a search had found before its time was up is reported", async (t) => {
  const parts = await vastParts(t, { answers: [{ query: "198.51.100.3", lines: [event("a")], after: "hang" }] });
  await search(parts, retro(parts, { timeout: 5 }));
  assert.deepEqual(uids(parts), ["a"]);
  assert.ok(parts.logger.lines.some(({ message }) => message.includes("took too long")));
  assert.deepEqual(parts.metrics.takeFields(), [], "searches that were cut off say nothing about searches");
});

test("a search that fails although the node answers is given up after three attempts", async (t) => {
  const parts = await vastParts(t, { answers: [{ query: "198.51.100.3", lines: [event("a")], after: "fail" }] });
  await search(parts);
  assert.deepEqual([...parts.dropped], [["query_failed", 1]]);
  assert.equal((await parts.stub.calls()).filter((call) => call.startsWith("export --caf")).length, 3);
});

test("a search waits for a node that is away", async (t) => {
  const parts = await vastParts(t, { away: true });
  const searched = search(parts);
  await eventually("the node is asked twice", async () => (await parts.stub.calls()).length >= 2);
  await parts.stub.does({ answers: [{ query: "198.51.100.3", lines: [event("a")] }] });
  await searched;
  assert.deepEqual(uids(parts), ["a"]);
});

test("a program that is not there is waited for like a node", async (t) => {
  const parts = await vastParts(t, {}, "/nowhere/vast");
  const searched = search(parts);
  const warned = () => parts.logger.lines.some(({ fields }) => JSON.stringify(fields).includes("no such program"));
  await eventually("the log says that the program is missing", warned);
  const end = new AbortController();
  const stopped = retro(parts).match(indicator(), { value: "198.51.100.3", type: "ip" }, end.signal);
  end.abort();
  await assert.rejects(stopped, { name: "AbortError" });
  void searched.catch(() => undefined);
});

test("no more searches run at one time than allowed", async (t) => {
  const parts = await vastParts(t, { answers: [{ query: "198.51.100.3", lines: [event("a")] }] });
  const release = Promise.withResolvers<void>();
  const reporter = { report: (match: Match) => parts.reporter.report(match).then(() => release.promise) };
  const matching = retro(parts, { maxQueries: 1, reporter });
  const both = Promise.all([search(parts, matching), search(parts, matching)]);
  await eventually("the first one has found something", () => parts.matches.length === 1);
  assert.equal((await parts.stub.calls()).filter((call) => call.startsWith("export --caf")).length, 1);
  assert.deepEqual(parts.metrics.takeFields(), ["retro_match_backlog=2"]);
  release.resolve();
  await both;
  assert.equal(parts.matches.length, 2);
});
