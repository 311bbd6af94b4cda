/** What becomes of matches: transformation, sinks, the metrics file. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Publishable } from "@threatbus/client";
import type { ParsedStix, Sighting } from "@threatbus/stix";
import { indicator, RecordingLogger } from "@threatbus/testkit";
import { Registry } from "prom-client";
import { type Match, retroMatch } from "../src/matches.ts";
import { VastMetrics } from "../src/metrics.ts";
import { metricsLine } from "../src/metrics-file.ts";
import { Reporter, type ReporterParts } from "../src/report.ts";
import { Tool } from "../src/tool.ts";
import { temporaryFolder } from "./support/vast-stub.ts";

function matchOf(event: object, pattern = "[domain-name:value = 'evil.example']"): Match {
  const { object, bytes } = indicator({ members: { pattern } });
  const match = retroMatch(JSON.stringify(event), { object, bytes });
  assert.ok(match.ok);
  return match.value;
}

const EVENT = { ts: "2024-06-10T06:11:02Z", uid: "a" };

/** A command that runs a piece of JavaScript; `input` is what it got. */
function script(code: string, args = ""): string {
  return `${process.execPath} -e 'const input = require("fs").readFileSync(0, "utf8"); ${code}' -- ${args}`;
}

function setup(t: TestContext, parts: Partial<ReporterParts> = {}) {
  const end = new AbortController();
  t.after(() => end.abort());
  const published: Sighting[][] = [];
  const dropped: string[] = [];
  const reporter = new Reporter({
    publish: (objects: readonly Publishable[]) => {
      published.push(objects.map((object) => (object as ParsedStix<Sighting>).object));
      return Promise.resolve();
    },
    drops: { note: (reason: string) => void dropped.push(reason) },
    transform: undefined,
    onTransformFailure: "drop",
    sink: undefined,
    writeLine: () => Promise.reject(new Error("not used")),
    ...parts,
  });
  return { reporter, published, dropped };
}

function tool(t: TestContext, line: string, timeout = 30): Tool {
  const end = new AbortController();
  t.after(() => end.abort());
  return new Tool({ line, timeout, logger: new RecordingLogger(), signal: end.signal });
}

test("matches that come while others are on their way are published together", async (t) => {
  const { reporter, published } = setup(t);
  const uids = Array.from({ length: 500 }, (_, index) => String(index));
  await Promise.all(uids.map((uid) => reporter.report(matchOf({ ...EVENT, uid }))));
  const contexts = published.flat().map((sighting) => sighting.x_threatbus_sighting_context as { uid: string });
  assert.deepEqual(contexts.map(({ uid }) => uid).sort(), uids.sort());
  assert.ok(published.length < 20, `${published.length} publications`);
  assert.ok(published.every((batch) => batch.length <= 200));
});

test("one event is one sighting, whichever way and however often it is found", async (t) => {
  const { reporter, published } = setup(t);
  const match = matchOf(EVENT);
  const { indicator: _, ...rest } = match;
  await reporter.report(match);
  await reporter.report({ ...rest, kind: "LIVE", value: "evil.example" });
  await reporter.report(matchOf({ ...EVENT, uid: "b" }));
  const [first, second, third] = published.flat().map(({ id }) => id);
  assert.equal(first, second);
  assert.notEqual(first, third);
});

test("a transformed context replaces the event, and the rest stays", async (t) => {
  const code =
    "console.log(JSON.stringify({ was: JSON.parse(input), args: process.argv.slice(1), env: process.env.THREATBUS_IOC, kind: process.env.THREATBUS_MATCHTYPE }, null, 1))";
  const { reporter, published } = setup(t, { transform: tool(t, script(code, "--ioc %ioc %matchtype")) });
  // A value that would become several arguments of a line that is split after it is filled in.
  const value = `x --evil "$(id)`;
  await reporter.report(matchOf(EVENT, `[domain-name:value = '${value}']`));
  const [sighting] = published.flat();
  const context = { was: EVENT, args: ["--ioc", value, "RETRO"], env: value, kind: "RETRO" };
  assert.deepEqual(sighting?.x_threatbus_sighting_context, context);
  assert.equal(sighting?.last_seen, EVENT.ts);
});

test("a command that fails and prints JSON has done its work", async (t) => {
  const code = 'console.error("complaint"); console.log("{}"); process.exitCode = 3';
  const { reporter, published } = setup(t, { transform: tool(t, script(code)) });
  await reporter.report(matchOf(EVENT));
  assert.equal(published.flat().length, 1);
});

for (const [name, line, timeout] of [
  ["prints no JSON", script('console.log("no JSON")'), 30],
  ["prints nothing", script(""), 30],
  ["is not there", "/nowhere/command", 30],
  ["does not end", script("setInterval(() => 0, 1e6)"), 1],
] as const) {
  test(`a sighting whose command ${name} is dropped, or reported as it is`, async (t) => {
    const dropping = setup(t, { transform: tool(t, line, timeout) });
    await dropping.reporter.report(matchOf(EVENT));
    assert.deepEqual([dropping.published, dropping.dropped], [[], ["transform_failed"]]);
    const keeping = setup(t, { transform: tool(t, line, timeout), onTransformFailure: "untransformed" });
    await keeping.reporter.report(matchOf(EVENT));
    assert.deepEqual(keeping.published.flat()[0]?.x_threatbus_sighting_context, EVENT);
  });
}

test("a context that the bus would refuse is dropped alone", async (t) => {
  const deep = `${"[".repeat(100)}${"]".repeat(100)}`;
  const { reporter, published, dropped } = setup(t, { transform: tool(t, script(`console.log("${deep}")`)) });
  await reporter.report(matchOf(EVENT));
  assert.deepEqual([published, dropped], [[], ["invalid_sighting"]]);
});

test("a sink gets the context, and the bus nothing", async (t) => {
  const file = join(await temporaryFolder(t), "out");
  const line = script(
    `require("fs").appendFileSync("${file}", process.argv.slice(1).join() + input)`,
    "%ioc %matchtype",
  );
  const { reporter, published, dropped } = setup(t, { sink: tool(t, line) });
  await Promise.all([reporter.report(matchOf(EVENT)), reporter.report(matchOf(EVENT))]);
  const once = `evil.example,RETRO${JSON.stringify(EVENT)}`;
  assert.equal(await readFile(file, "utf8"), once + once);
  assert.deepEqual([published, dropped], [[], []]);
  const failing = setup(t, { sink: tool(t, "/nowhere/command") });
  await failing.reporter.report(matchOf(EVENT));
  assert.deepEqual(failing.dropped, ["sink_failed"]);
});

test("a line of the metrics file has what was set since the last one, each field once", () => {
  const metrics = new VastMetrics(new Registry());
  assert.equal(metricsLine(metrics, "h", 1n), undefined);
  for (let count = 0; count < 12; count++) metrics.added();
  for (const matches of [0, 3, 0, 0]) metrics.retroDone(matches, 0.5);
  for (let count = 0; count < 5; count++) metrics.retroBegun();
  metrics.retroEnded();
  assert.equal(
    metricsLine(metrics, "sensor 1,x", 1718000000123456789n),
    "vast-threatbus,host=sensor\\ 1\\,x added_iocs=12," +
      "retro_matches_per_ioc_min=0,retro_matches_per_ioc_max=3,retro_matches_per_ioc_avg=0.75," +
      "retro_query_time_per_ioc_min=0.5,retro_query_time_per_ioc_max=0.5,retro_query_time_per_ioc_avg=0.5," +
      "retro_match_backlog=4 1718000000123456789",
  );
  assert.equal(metricsLine(metrics, "h", 2n), "vast-threatbus,host=h retro_match_backlog=4 2");
  for (let count = 0; count < 4; count++) metrics.retroEnded();
  metrics.removed();
  metrics.liveMatch();
  assert.equal(metricsLine(metrics, "h", 3n), "vast-threatbus,host=h removed_iocs=1,live_matcher_sightings=1 3");
});
