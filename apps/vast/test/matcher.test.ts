/** The content of the live matcher, with the stand-in for VAST as a real process. */
import assert from "node:assert/strict";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { watchMatcher } from "../src/live.ts";
import { Matcher } from "../src/matcher.ts";
import { ValueRegistry } from "../src/registry.ts";
import { type Parts, vastParts } from "./support/session.ts";
import { matcherLine, temporaryFolder } from "./support/vast-stub.ts";

const id = (last: number) => `indicator--46b3f973-5c03-41fc-9efe-49598a267a3${last}`;
const [A, B, C] = [id(1), id(2), id(3)];

interface Setup extends Parts {
  readonly file: string;
  readonly registry: ValueRegistry;
  readonly matcher: Matcher;
  /** The calls about values so far. */
  changes(): Promise<string[]>;
  /** Gives an indicator a value, and waits until the matcher has it. */
  assign(indicator: string, value: string | undefined): Promise<void>;
}

async function setup(t: TestContext, script = {}): Promise<Setup> {
  const parts = await vastParts(t, script);
  const file = join(await temporaryFolder(t), "values.jsonl");
  const registry = await ValueRegistry.open(file, () => undefined);
  t.after(() => registry.close());
  const onRefused = (values: readonly string[]) => parts.drops.note("refused", values.length);
  const matcher = new Matcher({ node: parts.node, registry, onRefused, logger: parts.logger });
  const changes = async () => (await parts.stub.calls()).filter((call) => /matcher (?:add|remove)/.test(call));
  const assign = (indicator: string, value: string | undefined) => matcher.update(registry.set(indicator, value));
  return { ...parts, file, registry, matcher, changes, assign };
}

/** The matcher at work; the test's end ends it. */
async function working(t: TestContext, script = {}): Promise<Setup> {
  const parts = await setup(t, script);
  parts.matcher.run(parts.signal).catch(() => undefined);
  return parts;
}

test("a value goes with the last indicator that has it, and refers to one that has it until then", async (t) => {
  const { assign, changes } = await working(t);
  await assign(A, "evil.example");
  await assign(B, "evil.example");
  await assign(B, undefined);
  await assign(A, undefined);
  assert.deepEqual(await changes(), [
    `matcher add tb evil.example threatbus__${A}`,
    `matcher add tb evil.example threatbus__${B}`,
    `matcher add tb evil.example threatbus__${A}`,
    "matcher remove tb evil.example",
  ]);
});

test("an indicator with another value takes its old one out", async (t) => {
  const { assign, changes } = await working(t);
  await assign(A, "old.example");
  await assign(A, "new.example");
  const calls = await changes();
  assert.deepEqual(calls.slice(1).sort(), [
    `matcher add tb new.example threatbus__${A}`,
    "matcher remove tb old.example",
  ]);
});

test("values are arguments of the command as they are", async (t) => {
  const { assign, stub } = await working(t);
  const value = `a"b\\c d'e`;
  await assign(A, value);
  const calls = await readFile(join(stub.folder, "calls.jsonl"), "utf8");
  assert.ok(calls.includes(JSON.stringify(["add", "tb", value, `threatbus__${A}`]).slice(1)));
});

test("a value that VAST refuses is counted, and the others go on", async (t) => {
  const { assign, dropped, changes } = await working(t, { refusedValues: ["bad.example"] });
  await Promise.all([assign(A, "bad.example"), assign(B, "good.example")]);
  assert.deepEqual([...dropped], [["refused", 1]]);
  assert.ok((await changes()).includes(`matcher add tb good.example threatbus__${B}`));
});

test("what waits for the matcher ends when the matcher does", async (t) => {
  const parts = await setup(t, { away: true });
  const end = new AbortController();
  const run = parts.matcher.run(end.signal).catch(() => undefined);
  const waiting = parts.assign(A, "evil.example");
  await eventually("VAST is asked", async () => (await parts.stub.calls()).length > 0);
  end.abort(new Error("the end"));
  await assert.rejects(waiting, /the end/);
  await run;
  await assert.rejects(parts.assign(B, "evil.example"), /the end/);
});

test("whose a value is survives a restart, a line that was cut off, and many changes", async (t) => {
  const { registry, file } = await setup(t);
  registry.set(A, "evil.example");
  await registry.save();
  registry.set(B, "evil.example");
  registry.set(C, "other.example");
  registry.set(C, undefined);
  await registry.save();
  await appendFile(file, '{"id":"indicator--');
  let bad = 0;
  const again = await ValueRegistry.open(file, (count) => {
    bad += count;
  });
  t.after(() => again.close());
  assert.equal(bad, 1);
  assert.deepEqual(again.holders("evil.example"), [A, B]);
  assert.deepEqual([...again.values()], ["evil.example"]);
  for (let index = 0; index < 5_000; index++) {
    again.set(C, `x${index}.example`);
    if (index % 100 === 0) await again.save();
  }
  await again.save();
  const lines = (await readFile(file, "utf8")).split("\n").length;
  assert.ok(lines < 1_500, `the file does not keep what is past: ${lines} lines`);
});

test("a live match is a sighting of every indicator that has the value; lines that are none are counted", async (t) => {
  const parts = await working(t);
  await parts.assign(A, "evil.example");
  await parts.assign(B, "evil.example");
  const watching = watchMatcher(parts, parts.signal);
  watching.catch(() => undefined);
  await eventually("the matcher is watched", async () => (await parts.stub.calls()).includes("ATTACHED"));
  const event = { ts: "2024-06-10T06:12:00", uid: "a" };
  await parts.stub.prints(
    "{",
    '{"event": {"ts": "2024-06-10T06:12:00"}, "indicator": {"value": 1}}',
    '{"event": {"ts": "2024-06-10T06:12:00"}, "indicator": null}',
    matcherLine("evil.example", "malware--x", event),
    matcherLine("evil.example", B, event),
    JSON.stringify({ indicator: { value: "fuzzy.example", context: null }, event }),
  );
  await eventually("all lines are read", () => parts.matches.length === 3);
  const refs = parts.matches.map(({ ref }) => ref);
  assert.deepEqual(refs, [B, A, "note--00000000-0000-4000-8000-000000000000"]);
  assert.deepEqual(Object.fromEntries(parts.dropped), { match_not_json: 1, match_incomplete: 2, foreign_reference: 1 });
});

test("a matcher that ends is an error, and its successor gets all values again", async (t) => {
  const parts = await working(t);
  await parts.assign(A, "evil.example");
  await parts.stub.does({ noMatcher: true });
  await assert.rejects(watchMatcher(parts, parts.signal), /exit code 1.*there is no such matcher/);
  await parts.stub.does({});
  const added = async () =>
    (await parts.changes()).filter((call) => call === `matcher add tb evil.example threatbus__${A}`);
  await eventually("the value was given again", async () => (await added()).length >= 2);
  const before = (await added()).length;
  const watching = watchMatcher(parts, parts.signal);
  watching.catch(() => undefined);
  await eventually("and again", async () => (await added()).length > before);
});

test("a node that does not answer any more ends what watches it", async (t) => {
  const parts = await working(t);
  const watching = watchMatcher({ ...parts, silence: 200 }, parts.signal);
  watching.catch(() => undefined);
  await eventually("the matcher is watched", async () => (await parts.stub.calls()).includes("ATTACHED"));
  // The one that watches goes on, as if it had not noticed.
  await parts.stub.does({ away: true });
  await assert.rejects(watching, /no sign of life/);
});

test("several values are given at one time, each by one call, and the newest comes before what is given again", async (t) => {
  const parts = await setup(t, { pause: 50 });
  const many = Array.from({ length: 40 }, (_, index) => `v${index}.example`);
  for (const [index, value] of many.entries()) parts.registry.set(`${A}${index}`, value);
  parts.matcher.refill();
  parts.matcher.run(parts.signal).catch(() => undefined);
  await eventually("calls overlap", async () => mostAtOneTime(await parts.stub.calls()) > 1);
  await parts.assign(B, "new.example");
  const before = (await parts.changes()).length;
  assert.ok(before < many.length, `${before} others came first`);
  await eventually("the log says that all are given again", () =>
    parts.logger.lines.some(({ message }) => message === "the matcher has all values again"),
  );
  const calls = await parts.changes();
  for (const value of many) assert.ok(calls.some((call) => call.startsWith(`matcher add tb ${value} `)));
  assert.ok(mostAtOneTime(await parts.stub.calls()) <= parts.node.engine.maxCalls);
});

/** Calls about values that have begun and not ended. */
function underWay(calls: readonly string[]): number {
  return (
    calls.filter((call) => /^matcher (?:add|remove)/.test(call)).length -
    calls.filter((call) => call === "ENDED").length
  );
}

function mostAtOneTime(calls: readonly string[]): number {
  return Math.max(0, ...calls.map((_, index) => underWay(calls.slice(0, index + 1))));
}

test("a batch that is refused is given in halves, so that one bad value costs no other", async (t) => {
  const parts = await vastParts(t, { refusedValues: ["bad.example"] });
  const registry = await ValueRegistry.open(join(await temporaryFolder(t), "values.jsonl"), () => undefined);
  t.after(() => registry.close());
  const refused: string[] = [];
  const { node, logger } = parts;
  Object.assign(node.engine, { batchSize: 8 });
  const matcher = new Matcher({ node, registry, onRefused: (values) => refused.push(...values), logger });
  const values = ["a.example", "bad.example", "c.example"];
  for (const [index, value] of values.entries()) registry.set(`${A}${index}`, value);
  const given = matcher.update(values);
  matcher.run(parts.signal).catch(() => undefined);
  await given;
  assert.deepEqual(refused, ["bad.example"]);
  const calls = await parts.stub.calls();
  for (const value of values)
    assert.ok(
      calls.some((call) => call.startsWith(`matcher add tb ${value} `)),
      value,
    );
});

test("two calls are never about the same value at one time: the last word counts", async (t) => {
  const { assign, stub } = await working(t, { pause: 500 });
  const first = assign(A, "evil.example");
  const add = `matcher add tb evil.example threatbus__${A}`;
  await eventually("the value is being added", async () => (await stub.calls()).includes(add));
  await Promise.all([first, assign(A, undefined)]);
  const calls = (await stub.calls()).filter((call) => /^matcher|^ENDED/.test(call));
  assert.deepEqual(calls, [add, "ENDED", "matcher remove tb evil.example", "ENDED"]);
});
