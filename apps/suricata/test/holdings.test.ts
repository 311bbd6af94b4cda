/** What is held of indicators, in memory, on disk and in Suricata's files. */
import assert from "node:assert/strict";
import { appendFile, chmod, mkdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, RecordingLogger } from "@threatbus/testkit";
import { IocIndex } from "../src/iocs/ioc-index.ts";
import { SETS } from "../src/iocs/sets.ts";
import { Sids } from "../src/iocs/sids.ts";
import { DEFAULT_TEMPLATES } from "../src/iocs/templates.ts";
import { RuleBook } from "../src/rules/rule-book.ts";
import { SuricataFiles } from "../src/state/files.ts";
import { Flusher } from "../src/state/flusher.ts";
import { Holdings } from "../src/state/holdings.ts";
import { Journal } from "../src/state/journal.ts";
import { folder } from "./support/programs.ts";
import { EVERYTHING, idOf, pointIndicator, ruleIndicator, ruleText } from "./support/samples.ts";

const FIRST = 1_000;

async function makeHoldings(cwd: string, mode: "off" | "datasets" | "rules" = "datasets", last = 1_000_000) {
  const notes: string[] = [];
  const { network, url } = DEFAULT_TEMPLATES;
  const holdings = new Holdings({
    book: new RuleBook(),
    iocs: new IocIndex(mode === "rules" ? DEFAULT_TEMPLATES : { network, url }, new Sids(FIRST + 16, last)),
    pointIocs: mode !== "off",
    policy: { ...EVERYTHING, actions: ["alert"], options: [] },
    reserved: { first: FIRST, last },
    note: (reason) => notes.push(reason),
  });
  const journal = new Journal(join(cwd, "indicators.jsonl"));
  await journal.load(
    (record) => holdings.restore(record),
    () => notes.push("state_unreadable"),
  );
  const rulesFile = join(cwd, "rules", "threatbus.rules");
  await mkdir(join(cwd, "rules"), { recursive: true });
  const sets = mode === "datasets" ? SETS : [];
  const files = new SuricataFiles({ rulesFile, sets, firstSid: FIRST, onHeldBack: () => notes.push("held_back") });
  const written: { reload: boolean; sets: readonly unknown[] }[] = [];
  const health: { ok?: boolean } = {};
  let open = 0;
  const flusher = new Flusher({
    holdings,
    journal,
    files,
    logger: new RecordingLogger(),
    health: { set: (_, ok) => Object.assign(health, { ok }) },
    begin: () => {
      open += 1;
      return () => {
        open -= 1;
      };
    },
    onWritten: (one) => written.push(one),
    pause: 2,
  });
  const take = (...indicators: Parameters<Holdings["apply"]>[0][]) => {
    for (const indicator of indicators) {
      const change = holdings.apply(indicator);
      if (change !== undefined) flusher.add(change);
    }
  };
  const list = (name: string) => readFile(join(cwd, "rules", `${name}.lst`), "utf8");
  return { holdings, flusher, notes, written, health, take, rulesFile, list, unsafe: () => open };
}

test("the rule file is made, keeps its mode, and after a restart everything is still held", async (t) => {
  const cwd = await folder(t);
  const first = await makeHoldings(cwd);
  first.take(ruleIndicator(1, ruleText(1)), ruleIndicator(2, `${ruleText(2)}\n${ruleText(3)}`));
  first.take(
    pointIndicator(3, "domain-name:value", "evil.example"),
    pointIndicator(4, "url:value", "http://a.example/b"),
  );
  assert.equal(first.unsafe(), 1, "the position is held back");
  assert.ok(await first.flusher.flush());
  assert.equal(first.unsafe(), 0);
  const before = await readFile(first.rulesFile, "utf8");
  assert.match(before, /^# threatbus/);
  await chmod(first.rulesFile, 0o604);

  const second = await makeHoldings(cwd);
  assert.ok(await second.flusher.flush());
  assert.equal(await readFile(second.rulesFile, "utf8"), before, "sids of made rules too");
  second.take(ruleIndicator(1, ruleText(1), { x_threatbus_update: "REMOVE" }));
  assert.ok(await second.flusher.flush());
  assert.ok(!(await readFile(second.rulesFile, "utf8")).includes(ruleText(1)));
  assert.equal((await stat(second.rulesFile)).mode & 0o777, 0o604);

  const third = await makeHoldings(cwd);
  assert.equal(third.holdings.size, 3);
});

test("a line that was being written when the process died is left out, and what follows is not", async (t) => {
  const cwd = await folder(t);
  const first = await makeHoldings(cwd);
  first.take(ruleIndicator(1, ruleText(1)));
  await first.flusher.flush();
  await appendFile(join(cwd, "indicators.jsonl"), '{"id":"indicator--000');
  const second = await makeHoldings(cwd);
  assert.deepEqual(second.notes, ["state_unreadable"]);
  second.take(ruleIndicator(2, ruleText(2)));
  await second.flusher.flush();
  const third = await makeHoldings(cwd);
  assert.equal(third.holdings.size, 2);
});

test("the journal does not grow without end", async (t) => {
  const path = join(await folder(t), "indicators.jsonl");
  const journal = new Journal(path);
  const record = (rev: number) => ({ id: idOf(1), modified: "2024-01-01T00:00:00.000Z", pattern: ruleText(1, rev) });
  await journal.append(Array.from({ length: 1_000 }, (_, rev) => record(rev)));
  await journal.compact(1, () => [record(999)]);
  assert.equal((await readFile(path, "utf8")).split("\n").length, 1_001, "not yet");
  await journal.append([record(1_000), record(1_001), record(1_002)]);
  await journal.compact(1, () => [record(1_002)]);
  assert.equal(await readFile(path, "utf8"), `${JSON.stringify(record(1_002))}\n`);
});

test("older states, other types, unreadable and reserved rules change nothing; REMOVE and revoked remove", async (t) => {
  const { take, holdings, notes } = await makeHoldings(await folder(t), "datasets");
  take(ruleIndicator(1, ruleText(1, 3), { modified: "2024-01-02T00:00:00.000Z" }));
  take(ruleIndicator(1, ruleText(1, 9), { modified: "2024-01-01T00:00:00.000Z" }));
  assert.equal(holdings.book.owner("1:1")?.rule.rev, 3);
  take(ruleIndicator(1, ruleText(1, 2), { modified: "2024-01-03T00:00:00.000Z" }));
  assert.equal(holdings.book.owner("1:1")?.rule.rev, 3, "a higher revision wins");
  take(ruleIndicator(1, "nonsense", { modified: "2024-01-04T00:00:00.000Z" }), ruleIndicator(5, ruleText(FIRST + 3)));
  take(ruleIndicator(6, "x", { pattern_type: "sigma" }), pointIndicator(7, "mutex:name", "x"));
  assert.deepEqual(notes, ["older_state", "older_revision", "rule_unreadable", "sid_reserved", "not_expressible"]);
  assert.equal(holdings.size, 1);
  take(ruleIndicator(1, "nonsense", { revoked: true }));
  assert.equal(holdings.size, 0);
});

test("a rule that may not do what it does is left out, also when it was taken earlier", async (t) => {
  const { take, holdings, notes } = await makeHoldings(await folder(t));
  take(ruleIndicator(1, ruleText(1)), ruleIndicator(2, `${ruleText(2)}\npass ip any any -> any any (sid:3;)`));
  take(ruleIndicator(1, ruleText(1, 2).replace("alert", "drop"), { modified: "2024-01-02T00:00:00.000Z" }));
  assert.deepEqual(
    Array.from(holdings.book.used(), ({ sid, rev }) => [sid, rev]),
    [
      [1, 1],
      [2, 1],
    ],
  );
  const lua = ruleText(4).replace("nocase;", "lua:x.lua;");
  holdings.restore({ id: idOf(4), modified: "2024-01-01T00:00:00.000Z", pattern: lua });
  assert.equal(holdings.book.owner("1:4"), undefined);
  assert.deepEqual(notes, ["rule_refused", "rule_refused", "rule_refused"]);
});

test("a value that two indicators have stays until the last of them goes", async (t) => {
  const { take, flusher, list, written } = await makeHoldings(await folder(t));
  take(
    pointIndicator(1, "ipv6-addr:value", "2001:DB8:0:0::1"),
    pointIndicator(2, "ipv6-addr:value", "2001:db8::1/128"),
  );
  take(
    pointIndicator(3, "file:hashes.MD5", "D41D8CD98F00B204E9800998ECF8427E"),
    pointIndicator(4, "domain-name:value", "A.example."),
  );
  await flusher.flush();
  assert.equal(await list("threatbus-ip"), "2001:db8::1\n");
  assert.equal(await list("threatbus-md5"), "d41d8cd98f00b204e9800998ecf8427e\n");
  assert.equal(await list("threatbus-domain"), `${Buffer.from("a.example").toString("base64")}\n`);
  take(pointIndicator(1, "ipv6-addr:value", "x", { x_threatbus_update: "REMOVE" }));
  await flusher.flush();
  assert.equal(await list("threatbus-ip"), "2001:db8::1\n");
  take(pointIndicator(2, "ipv4-addr:value", "198.51.100.3"));
  await flusher.flush();
  assert.equal(await list("threatbus-ip"), "198.51.100.3\n");
  assert.deepEqual(
    written.map(({ reload, sets }) => [reload, sets.length]),
    [
      [true, 2],
      [false, 2],
    ],
    "only the first needs a reload: for the rules and the hash",
  );
});

test("an indicator that changes from a rule to a point and back has one of them at a time", async (t) => {
  const { take, holdings } = await makeHoldings(await folder(t), "rules");
  take(ruleIndicator(1, ruleText(1)), pointIndicator(1, "ipv4-addr:value", "198.51.100.3"));
  assert.deepEqual([holdings.book.size, holdings.iocs.size, holdings.size], [0, 1, 1]);
  take(ruleIndicator(1, ruleText(1)));
  assert.deepEqual([holdings.book.size, holdings.iocs.size, holdings.size], [1, 0, 1]);
  take(pointIndicator(1, "mutex:name", "x"));
  assert.equal(holdings.size, 0);
});

test("when the sids are used up the rest is told, and one that is given back is used again", async (t) => {
  const { take, holdings, notes } = await makeHoldings(await folder(t), "rules", FIRST + 16 + 3);
  take(pointIndicator(1, "domain-name:value", "a.example"), pointIndicator(2, "domain-name:value", "b.example"));
  assert.deepEqual(notes, ["no_sid_left"]);
  take(
    pointIndicator(1, "domain-name:value", "", { revoked: true }),
    pointIndicator(2, "domain-name:value", "b.example"),
  );
  assert.deepEqual(holdings.iocs.bySid(FIRST + 16)?.ioc.value, "b.example");
});

test("one that gets no sids any more leaves its dataset", async (t) => {
  const { take, flusher, holdings, list, written } = await makeHoldings(await folder(t), "datasets", FIRST + 16);
  take(pointIndicator(1, "url:value", "http://a.example/"), pointIndicator(2, "ipv4-addr:value", "198.51.100.3"));
  await flusher.flush();
  take(pointIndicator(2, "url:value", "http://b.example/"));
  await flusher.flush();
  assert.equal(holdings.size, 1);
  assert.equal(await list("threatbus-ip"), "");
  assert.equal(written.at(-1)?.sets.length, 1);
});

test("a disk that refuses is tried again, the position waits, and nothing is lost", async (t) => {
  const cwd = await folder(t);
  const { take, flusher, health, rulesFile, unsafe, written, list } = await makeHoldings(cwd);
  await flusher.flush();
  await rename(join(cwd, "rules"), join(cwd, "away"));
  take(ruleIndicator(1, ruleText(1)), pointIndicator(2, "ipv4-addr:value", "198.51.100.3"));
  const end = new AbortController();
  const ended = flusher.run(end.signal);
  await eventually("it is noticed", () => health.ok === false);
  assert.equal(unsafe(), 1);
  await rename(join(cwd, "away"), join(cwd, "rules"));
  await eventually("it is written", () => health.ok === true && unsafe() === 0);
  end.abort();
  await ended;
  assert.ok((await readFile(rulesFile, "utf8")).includes(ruleText(1)));
  assert.equal(await list("threatbus-ip"), "198.51.100.3\n");
  assert.deepEqual([written.length, written[1]?.reload, written[1]?.sets.length], [2, true, 1]);
});

test("a snapshot of 20,000 rules is written a few times, not 20,000 [quadratic]", async (t) => {
  const cwd = await folder(t);
  const { take, flusher, rulesFile, written } = await makeHoldings(cwd);
  const end = new AbortController();
  const ended = flusher.run(end.signal);
  for (let at = 0; at < 20_000; at++) take(ruleIndicator(at, ruleText(2_000_000 + at)));
  await eventually("all are written", async () => {
    const text = await readFile(rulesFile, "utf8").catch(() => "");
    return text.split("sid:").length === 20_001 + 5;
  });
  assert.ok(written.length < 100, `${written.length} times`);
  end.abort();
  await ended;
  assert.equal((await makeHoldings(cwd)).holdings.book.owner("1:2019999")?.indicator, idOf(19_999));
});
