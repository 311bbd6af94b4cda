/** Against a real node of Tenzir: what the pipelines find, and how live matching goes. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually, RecordingLogger } from "@threatbus/testkit";
import { Registry } from "prom-client";
import { Tenzir } from "../src/engine/tenzir.ts";
import type { Ioc } from "../src/ioc.ts";
import { watchMatcher } from "../src/live.ts";
import { Matcher } from "../src/matcher.ts";
import type { Match } from "../src/matches.ts";
import { VastMetrics } from "../src/metrics.ts";
import { MatchNode } from "../src/node.ts";
import { settingsSchema } from "../src/options.ts";
import { ValueRegistry } from "../src/registry.ts";
import { RetroMatching } from "../src/retro.ts";
import { type TenzirNode, tenzirNode } from "./support/tenzir-node.ts";
import { temporaryFolder } from "./support/vast-stub.ts";

const EVENTS = [
  { ts: "2024-06-10T06:11:01Z", uid: "conn", id: { orig_h: "10.0.0.5", resp_h: "203.0.113.7" } },
  { ts: "2024-06-10T06:11:02Z", uid: "dns", query: "Evil.Example", answers: ["203.0.113.9"] },
  {
    ts: "2024-06-10T06:11:03Z",
    uid: "suricata",
    src_ip: "2001:db8::1",
    http: { hostname: "www.evil.example", url: "/a" },
  },
  { ts: "2024-06-10T06:11:04Z", uid: "odd", query: `a"b\\c' or true`, uri: "http://evil.example/x?y=1" },
];

interface Setup {
  readonly real: TenzirNode;
  readonly node: MatchNode;
  readonly matches: Match[];
  readonly dropped: string[];
  readonly logger: RecordingLogger;
  readonly end: AbortController;
  readonly folder: string;
}

async function setup(t: TestContext): Promise<Setup | undefined> {
  const real = await tenzirNode(t);
  if (real === undefined) return undefined;
  const end = new AbortController();
  t.after(() => end.abort());
  const logger = new RecordingLogger();
  const fields = settingsSchema.parse({}).tenzir_fields;
  const engine = new Tenzir({ endpoint: real.endpoint, matcherName: "threatbus", fields });
  const health = { set: () => undefined };
  const node = new MatchNode({ engine, program: real.program, logger, health, onLongLine: () => undefined });
  return { real, node, matches: [], dropped: [], logger, end, folder: await temporaryFolder(t) };
}

async function importEvents({ real, folder }: Setup, events: readonly object[]): Promise<void> {
  const file = join(folder, "events.json");
  await writeFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  await real.pipeline(`from_file ${JSON.stringify(file)} { read_ndjson }\nimport`);
}

const uidsOf = (matches: readonly Match[]) => matches.map(({ event: { object } }) => String(object.uid)).sort();

function retroOf({ node, matches, dropped, logger }: Setup, maxEvents = 0): RetroMatching {
  const reporter = { report: (match: Match) => Promise.resolve(void matches.push(match)) };
  const drops = { note: (reason: string) => void dropped.push(reason) };
  const metrics = new VastMetrics(new Registry());
  return new RetroMatching({ node, reporter, drops, logger, metrics, maxQueries: 2, maxEvents, timeout: 0 });
}

const ID = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";

test("searches find addresses, networks, domain names and URLs wherever they are in an event", async (t) => {
  const parts = await setup(t);
  if (parts === undefined) return;
  await importEvents(parts, EVENTS);
  const object = { id: ID, pattern: "" };
  const found = async (ioc: Ioc, maxEvents = 0) => {
    parts.matches.length = 0;
    await retroOf(parts, maxEvents).match({ object, bytes: Buffer.from("{}") }, ioc, parts.end.signal);
    return uidsOf(parts.matches);
  };
  assert.deepEqual(await found({ type: "ip", value: "203.0.113.7" }), ["conn"]);
  assert.deepEqual(await found({ type: "ip", value: "203.0.113.9" }), ["dns"], "in a list");
  assert.deepEqual(await found({ type: "ipv6", value: "2001:DB8:0::1" }), ["suricata"]);
  assert.deepEqual(await found({ type: "ip", value: "203.0.113.0/24" }), ["conn"], "the fields that have addresses");
  assert.deepEqual(await found({ type: "domain", value: "evil.example" }), ["dns"], "whole names in any case");
  assert.deepEqual(await found({ type: "url", value: "http://evil.example/x?y=1" }), ["odd"]);
  assert.deepEqual(await found({ type: "url", value: "http://evil.example/x" }), []);
  assert.deepEqual(await found({ type: "domain", value: `a"b\\c' or true` }), ["odd"], "text stays text");
  assert.deepEqual(await found({ type: "domain", value: `x" or true or "` }), []);
  assert.equal((await found({ type: "ip", value: "0.0.0.0/0" }, 1)).length, 1, "the limit");
  assert.deepEqual(parts.dropped, []);
  const [match] = parts.matches;
  assert.ok(match?.seen.startsWith("2024-06-10T06:11:0"));
});

test("new events are matched, values come and go, and a new matcher gets all values again", async (t) => {
  const parts = await setup(t);
  if (parts === undefined) return;
  const { node, matches, dropped, logger, end, folder, real } = parts;
  const { signal } = end;
  const registry = await ValueRegistry.open(join(folder, "values.jsonl"), () => undefined);
  const matcher = new Matcher({ node, registry, onRefused: (values) => dropped.push(...values), logger });
  const idOf = (index: number) => `${ID.slice(0, -1)}${index}`;
  const iocs: Ioc[] = [
    { type: "ip", value: "203.0.113.7" },
    { type: "ipv6", value: "2001:DB8::/32" },
    { type: "domain", value: "EVIL.example" },
    { type: "url", value: "http://evil.example/x?y=1" },
    { type: "domain", value: "sign.example" },
  ];
  for (const [index, ioc] of iocs.entries()) registry.set(idOf(index), node.engine.matcherValue(ioc));
  registry.set(idOf(5), node.engine.matcherValue({ type: "domain", value: "evil.EXAMPLE" }));
  const reporter = { report: (match: Match) => Promise.resolve(void matches.push(match)) };
  const drops = { note: (reason: string) => void dropped.push(reason) };
  const metrics = new VastMetrics(new Registry());
  const working = matcher.run(signal).catch(() => undefined);
  const watching = watchMatcher({ node, matcher, registry, reporter, metrics, drops, logger, silence: 15_000 }, signal);
  watching.catch(() => undefined);
  const inspect = async () =>
    (await real.pipeline('context_inspect "threatbus"\nwrite_ndjson')).split("\n").filter(Boolean);
  await eventually("the table has all values", async () => (await inspect().catch(() => [])).length === 5);
  // Live exports get what comes in after they have begun, and nothing tells when that is: the first is a sign of life.
  await eventually("an event is matched", async () => {
    await importEvents(parts, [{ ts: "2024-06-10T06:00:00Z", uid: "sign", query: "sign.example" }]);
    return matches.length > 0;
  });
  await importEvents(parts, EVENTS);
  const pairs = () => matches.map(({ ref, event }) => `${String(event.object.uid)} ${ref.at(-1)}`);
  const wanted = ["conn 0", "suricata 1", "dns 2", "dns 5", "odd 3"];
  await eventually("all events are matched", () => wanted.every((pair) => pairs().includes(pair)));
  assert.deepEqual(
    pairs()
      .filter((pair) => !pair.startsWith("sign"))
      .sort(),
    wanted.sort(),
  );
  assert.deepEqual(dropped, []);

  registry.set(idOf(0), undefined);
  await matcher.update(["203.0.113.7"]);
  assert.equal(
    (await inspect()).some((line) => line.includes("203.0.113.7")),
    false,
  );
  // The client of Tenzir does not notice that its node was killed; the connector does.
  real.kill();
  await assert.rejects(watching, /no sign of life|has ended/);
  end.abort();
  await working;
});
