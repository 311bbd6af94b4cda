/** From lines of eve.json to sightings. The events are as Suricata 7.0.10 writes them. */
import assert from "node:assert/strict";
import { appendFile, copyFile, rename, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseStixObject } from "@threatbus/stix";
import { Aggregator } from "../src/eve/aggregator.ts";
import { boundedContext } from "../src/eve/context.ts";
import { eveMicros } from "../src/eve/event.ts";
import { type Match, Matcher } from "../src/eve/match.ts";
import { sightingOf } from "../src/eve/reporter.ts";
import { Tail, type TailOptions } from "../src/eve/tail.ts";
import { IocIndex } from "../src/iocs/ioc-index.ts";
import { Sids } from "../src/iocs/sids.ts";
import { RuleBook } from "../src/rules/rule-book.ts";
import { Holdings } from "../src/state/holdings.ts";
import { folder } from "./support/programs.ts";
import { EVERYTHING, idOf, pointIndicator, ruleIndicator, ruleText } from "./support/samples.ts";

const FIRST = 1_000;
const SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

function alert(sid: number, members: object = {}): string {
  return JSON.stringify({
    timestamp: "2024-06-10T06:13:20.128220+0200",
    flow_id: 1_889_357_765_855_746,
    event_type: "alert",
    src_ip: "10.0.0.5",
    dest_ip: "203.0.113.9",
    alert: { action: "allowed", gid: 1, signature_id: sid, rev: 1, signature: "x" },
    ...members,
  });
}

function makeMatcher() {
  const outcomes: string[] = [];
  const holdings = new Holdings({
    book: new RuleBook(),
    iocs: new IocIndex({}, new Sids(FIRST + 16, FIRST + 100)),
    pointIocs: true,
    policy: EVERYTHING,
    reserved: { first: FIRST, last: FIRST + 100 },
    note: (reason) => assert.fail(reason),
  });
  const onLine = (outcome: string) => outcomes.push(outcome);
  return { holdings, outcomes, matcher: new Matcher({ holdings, firstSid: FIRST, contextBytes: 4_096, onLine }) };
}

test("an alert is of the indicator whose rule or whose value it was", () => {
  const { holdings, matcher, outcomes } = makeMatcher();
  holdings.apply(ruleIndicator(1, ruleText(1)));
  holdings.apply(pointIndicator(2, "domain-name:value", "evil.example"));
  holdings.apply(pointIndicator(3, "ipv6-addr:value", "2001:db8::1"));
  holdings.apply(pointIndicator(4, "file:hashes.'SHA-256'", SHA256));
  holdings.apply(pointIndicator(5, "domain-name:value", "evil.example"));
  const cases: readonly (readonly [line: string, indicators: readonly number[]])[] = [
    [alert(1), [1]],
    [alert(FIRST, { dest_ip: "2001:0db8:0000:0000:0000:0000:0000:0001" }), [3]],
    [alert(FIRST + 2, { dns: { version: 2, query: [{ type: "query", rrname: "EVIL.example" }] } }), [2, 5]],
    [
      alert(FIRST + 2, { dns: { version: 3, queries: [{ rrname: "other.example" }, { rrname: "evil.example" }] } }),
      [2, 5],
    ],
    [alert(FIRST + 3, { tls: { sni: "evil.example" } }), [2, 5]],
    [alert(FIRST + 4, { http: { hostname: "evil.example", url: "/" } }), [2, 5]],
    [alert(FIRST + 7, { files: [{ filename: "/a", sha256: SHA256, size: 5 }] }), [4]],
    [alert(FIRST + 7, { fileinfo: { sha256: SHA256.toUpperCase() } }), [4]],
  ];
  for (const [line, expected] of cases) {
    const found = matcher.matches(line);
    assert.deepEqual(
      found.map(({ indicator }) => indicator),
      expected.map(idOf),
      line,
    );
    assert.equal(found[0]?.seen, "2024-06-10T04:13:20.12822Z");
  }
  assert.ok(outcomes.every((outcome) => outcome === "sighting"));
});

test("lines that are no alert of ours are counted by what they are", () => {
  const { holdings, matcher, outcomes } = makeMatcher();
  holdings.apply(pointIndicator(1, "ipv4-addr:value", "198.51.100.3"));
  const lines = [
    '{"timestamp":"2024-06-10T06:13:20.128220+0000","event_type":"dns","dns":{"rrname":"alert"}}',
    alert(2_000_001),
    alert(1, { alert: { gid: 3, signature_id: FIRST } }),
    alert(FIRST + 2, { dns: "nonsense" }),
    alert(FIRST, { src_ip: "fe80::1%eth0" }),
    alert(FIRST, { timestamp: "yesterday" }),
    '{"event_type":"alert","alert":{"signature_id":"1"},"timestamp":1}',
    '{"event_type":"alert"',
    "[]",
    "\u0000\u0000",
    // JSON.parse takes it, what walks over it does not.
    alert(FIRST, { deep: 0, dest_ip: "198.51.100.3" }).replace(
      '"deep":0',
      `"deep":${"[".repeat(200_000)}${"]".repeat(200_000)}`,
    ),
  ];
  for (const line of lines) assert.deepEqual(matcher.matches(line), [], line);
  const bad = Array.from({ length: 6 }, () => "unreadable");
  assert.deepEqual(outcomes, ["no_alert", "foreign", "foreign", "unmatched", "unmatched", ...bad]);
});

test("times of events with any zone", () => {
  assert.equal(eveMicros("1970-01-01T01:00:00.000001+0100"), 1n);
  assert.equal(eveMicros("1969-12-31T23:30:00-00:30"), 0n);
  for (const bad of ["1970-13-01T00:00:00.000000+0000", "1970-01-01T00:00:00", ""])
    assert.equal(eveMicros(bad), undefined);
});

test("a context is bounded: packets go, then the longest members", () => {
  const context = boundedContext({ a: "x".repeat(600), payload: "AAAA", b: "y".repeat(300), c: 1 }, 500);
  assert.deepEqual(context, { b: "y".repeat(300), c: 1, x_left_out: ["a"] });
});

function match(second: number, indicator = idOf(1)): Match {
  const seen = new Date(Date.UTC(2024, 0, 1, 0, 0, second)).toISOString();
  return { indicator, micros: Date.parse(seen) * 1_000, seen, key: `line ${second}`, context: { second } };
}

test("of a flood the first alert is told at once, the rest together", () => {
  let now = 0;
  const aggregator = new Aggregator(60_000, () => now);
  const told = [0, 1, 5, 3, 59].flatMap((second) => aggregator.see(match(second)));
  assert.deepEqual(
    told.map(({ count, key }) => [count, key]),
    [[1, "line 0"]],
  );
  const [rest, next] = aggregator.see(match(60));
  assert.deepEqual(
    [rest?.count, rest?.firstSeen, rest?.lastSeen],
    [4, "2024-01-01T00:00:01.000Z", "2024-01-01T00:00:59.000Z"],
  );
  assert.deepEqual([next?.count, next?.key], [1, "line 60"]);
  aggregator.see(match(61));
  now = 59_000;
  assert.deepEqual(aggregator.due(), []);
  const restored = new Aggregator(60_000, () => now);
  restored.restore(JSON.parse(JSON.stringify(aggregator.windows)));
  now = 60_000;
  const due = aggregator.due();
  assert.deepEqual(
    due.map(({ count, key }) => [count, key]),
    [[1, "line 61"]],
  );
  now = 200_000;
  assert.deepEqual(restored.due(), due, "also after a restart");
  for (const one of [...told, ...due]) {
    const parsed = parseStixObject(sightingOf(one));
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.deepEqual(sightingOf(one), sightingOf(one), "told again it is the same");
  }
});

test("with interval 0 each alert is told, and a thousand indicators are followed at most", () => {
  const each = new Aggregator(0);
  assert.equal([0, 0, 1].flatMap((second) => each.see(match(second))).length, 3);
  const many = new Aggregator(60_000, () => 0);
  for (let at = 0; at < 2_000; at++) many.see(match(0, idOf(at)));
  assert.equal(many.windows.length, 1_000);
});

async function log(t: TestContext, options: Partial<TailOptions> = {}) {
  const path = join(await folder(t), "eve.json");
  const notes: string[] = [];
  const note = (reason: string) => notes.push(reason);
  const tails: Tail[] = [];
  t.after(() => Promise.all(tails.map((tail) => tail.close())));
  const open = (position?: Tail["position"]) => {
    const tail = new Tail({ path, from: "start", note, ...options }, position);
    tails.push(tail);
    return tail;
  };
  return { path, notes, open };
}

test("complete lines are read, one that is not complete is waited for", async (t) => {
  const { path, open, notes } = await log(t);
  const tail = open();
  assert.deepEqual(await tail.read(), [], "no file yet");
  await writeFile(path, "a\n\nb\nha");
  assert.deepEqual(await tail.read(), ["a", "b"]);
  assert.deepEqual(await tail.read(), []);
  await appendFile(path, "lf\n");
  assert.deepEqual(await tail.read(), ["half"]);
  assert.deepEqual(notes, []);
});

test("from the end: behind the last complete line", async (t) => {
  const { path, open } = await log(t, { from: "end" });
  await writeFile(path, "a\nha");
  const tail = open();
  assert.deepEqual(await tail.read(), []);
  await appendFile(path, "lf\nb\n");
  assert.deepEqual(await tail.read(), ["half", "b"]);
});

test("over rotation by renaming nothing is lost, not what was written late either", async (t) => {
  const { path, open, notes } = await log(t);
  const tail = open();
  await writeFile(path, "a\n");
  assert.deepEqual(await tail.read(), ["a"]);
  await rename(path, `${path}.1`);
  assert.deepEqual(await tail.read(), []);
  await writeFile(path, "");
  await appendFile(`${path}.1`, "late\n");
  assert.deepEqual(await tail.read(), ["late"]);
  await appendFile(path, "b\n");
  assert.deepEqual(await tail.read(), ["b"]);
  assert.deepEqual(notes, []);
});

test("over copying and truncating", async (t) => {
  const { path, open, notes } = await log(t);
  const tail = open();
  await writeFile(path, "a\nb\n");
  assert.deepEqual(await tail.read(), ["a", "b"]);
  await copyFile(path, `${path}.1`);
  await truncate(path, 0);
  await appendFile(path, "c is longer than what was there\n");
  assert.deepEqual(await tail.read(), ["c is longer than what was there"]);
  assert.deepEqual(notes, ["log_truncated"]);
});

test("after a restart it goes on where it was, also in a file that has another name by now", async (t) => {
  const { path, open, notes } = await log(t);
  const first = open();
  await writeFile(path, "a\n");
  await first.read();
  const { position } = first;
  await appendFile(path, "b\n");
  await rename(path, `${path}-20240610`);
  await writeFile(path, "c\n");
  const second = open(position);
  assert.deepEqual(await second.read(), ["b"]);
  assert.deepEqual(await second.read(), ["c"]);
  const third = open(position && { ...position, head: Buffer.from("gone").toString("base64") });
  assert.deepEqual(await third.read(), ["c"]);
  assert.deepEqual(notes, ["log_lost"]);
});

test("files that were rotated in one tick of the clock are read once each, compressed ones not at all", async (t) => {
  const { path, open, notes } = await log(t);
  const first = open();
  await writeFile(path, "a\n");
  await first.read();
  const { position } = first;
  await rename(path, `${path}.2`);
  await writeFile(`${path}.1`, "b\n");
  await writeFile(`${path}.3.gz`, "compressed\n");
  await writeFile(path, "c\n");
  const time = new Date();
  for (const name of [`${path}.2`, `${path}.1`, `${path}.3.gz`]) await utimes(name, time, time);
  await utimes(path, time, new Date(time.getTime() + 1_000));
  const tail = open(position);
  const lines: string[] = [];
  for (let round = 0; round < 6; round++) lines.push(...(await tail.read()));
  assert.deepEqual(lines, ["b", "c"]);
  assert.deepEqual(notes, []);
});

test("a new log that has the inode of an old one is read from its start", async (t) => {
  const { path, open, notes } = await log(t);
  await writeFile(path, "new line\n");
  const { ino } = await stat(path);
  const tail = open({ inode: String(ino), offset: 4, head: Buffer.from("old\n").toString("base64") });
  assert.deepEqual(await tail.read(), ["new line"]);
  assert.deepEqual(notes, ["log_lost"]);
});

test("a line that is too long is skipped whole", async (t) => {
  const { path, open, notes } = await log(t, { chunk: 64 });
  const tail = open();
  await writeFile(path, `a\n${"x".repeat(500)}\nb\n`);
  const lines: string[] = [];
  for (let round = 0; round < 20; round++) lines.push(...(await tail.read()));
  assert.deepEqual(lines, ["a", "b"]);
  assert.deepEqual(notes, ["line_too_long"]);
});
