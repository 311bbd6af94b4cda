/** Queries through the command: states, failures, bounds, and what may be seen of credentials. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, indicator, numberedIndicator } from "@threatbus/testkit";
import { Slots } from "../src/slots.ts";
import { stubSource } from "./support/source.ts";
import { observed } from "./support/stub.ts";

const INDICATOR = indicator().object;
const never = new AbortController().signal;

const operations = (calls: readonly { operation: string }[]) => calls.map(({ operation }) => operation);

test("what a query finds is published as sightings of the indicator", async (t) => {
  const rows = [observed("198.51.100.3"), { type: "process", id: "process--1" }, observed("198.51.100.4")];
  const { source, published, calls } = await stubSource(t, { behaviour: { rows } });
  await source.search(INDICATOR, never);
  assert.deepEqual(operations(calls()), ["query", "is_async", "results"]);
  assert.deepEqual(calls()[0]?.value, [`one ${INDICATOR.pattern}`]);
  assert.deepEqual(calls()[2]?.value, [`-search of one ${INDICATOR.pattern}`, "0", "100"]);
  assert.deepEqual(
    published.map(({ sighting_of_ref: ref, x_threatbus_sighting_context: context }) => [ref, context]),
    [
      [INDICATOR.id, rows[0]],
      [INDICATOR.id, rows[2]],
    ],
  );
});

test("the status of a slow query is asked for until it is done, also where it tells no progress", async (t) => {
  const running = { reply: { success: true, status: "RUNNING", progress: 40 } };
  const status = [
    running,
    { reply: { success: true, status: "RUNNING" } },
    { reply: { success: true, status: "COMPLETED" } },
  ];
  const { source, published, calls } = await stubSource(t, { behaviour: { status, rows: [observed("198.51.100.3")] } });
  await source.search(INDICATOR, never);
  assert.deepEqual(operations(calls()), ["query", "is_async", "status", "status", "status", "results"]);
  assert.equal(published.length, 1);
});

test("a status that fails ends its own query and no other", async (t) => {
  const status = [{ fails: "unknown" }, { reply: { success: true, status: "COMPLETED", progress: 100 } }];
  const { source, published, drops, calls } = await stubSource(t, {
    behaviour: { status, rows: [observed("198.51.100.3")] },
    translation: { queries: ["first", "second"] },
  });
  await source.search(INDICATOR, never);
  assert.equal(drops.length, 1);
  assert.equal(published.length, 1);
  assert.equal(calls().at(-1)?.value[0], `-search of second ${INDICATOR.pattern}`);
});

test("a query that never ends is given up, and the data source is told", async (t) => {
  const status = [{ reply: { success: true, status: "RUNNING", progress: 1 } }];
  const { source, drops, health, calls } = await stubSource(t, {
    behaviour: { status },
    parts: { times: { timeout: 1_500, firstPause: 1, longestPause: 10 } },
  });
  await source.search(INDICATOR, never);
  assert.equal(operations(calls()).at(-1), "delete");
  assert.match(drops.join(), /^query_failed stub, indicator--\S+, query_timeout: /);
  assert.deepEqual(health, ["false query_timeout"]);
});

test("a query that the data source gives up finds nothing", async (t) => {
  const status = [{ reply: { success: true, status: "ERROR", progress: 100 } }];
  const { source, drops, calls } = await stubSource(t, { behaviour: { status } });
  await source.search(INDICATOR, never);
  assert.match(drops.join(), /query_failed/);
  assert.ok(!operations(calls()).includes("results"));
});

test("a command that hangs is ended after its time, with its process", async (t) => {
  const { source, drops, calls } = await stubSource(t, {
    behaviour: { query: [{ hangs: true }] },
    limits: { timeout: 2_000 },
    parts: { attempts: 1 },
  });
  await source.search(INDICATOR, never);
  assert.match(drops.join(), /timeout/);
  const [call] = calls();
  assert.ok(call !== undefined);
  assert.throws(() => process.kill(call.pid, 0), { code: "ESRCH" });
});

test("a search that is not wanted any more ends its command", async (t) => {
  const { source, calls } = await stubSource(t, { behaviour: { query: [{ hangs: true }] } });
  const stop = new AbortController();
  const searching = source.search(INDICATOR, stop.signal);
  await eventually("the query to begin", () => calls().length === 1);
  const reason = new Error("no longer");
  stop.abort(reason);
  await assert.rejects(searching, reason);
  await eventually("the process to end", () => {
    try {
      process.kill(calls()[0]?.pid ?? -1, 0);
      return false;
    } catch {
      return true;
    }
  });
});

test("while the data source is away its query is tried again", async (t) => {
  const away = { fails: "service_unavailable" };
  const { source, published, health, logger } = await stubSource(t, {
    behaviour: { query: [away, away, {}], rows: [observed("198.51.100.3")] },
  });
  await source.search(INDICATOR, never);
  assert.equal(published.length, 1);
  assert.deepEqual(health, ["false service_unavailable", "false service_unavailable", "true"]);
  assert.equal(logger.lines.filter(({ level }) => level === "warn").length, 2);
});

test("after the last attempt, and for failures that stay, a query is given up", async (t) => {
  const away = await stubSource(t, { behaviour: { query: [{ fails: "service_unavailable" }] } });
  await away.source.search(INDICATOR, never);
  assert.equal(away.calls().length, 3);
  assert.equal(away.drops.length, 1);
  const refused = await stubSource(t, { behaviour: { query: [{ fails: "authentication_fail" }] } });
  await refused.source.search(INDICATOR, never);
  assert.equal(refused.calls().length, 1);
  assert.deepEqual(refused.health, ["false authentication_fail"]);
});

test("a pattern that the data source has no fields for is no failure", async (t) => {
  const { source, drops, health, calls } = await stubSource(t, { translation: { fails: "mapping_error" } });
  await source.search(INDICATOR, never);
  assert.deepEqual([drops, health, calls()], [[], [], []]);
});

for (const [what, step, expected] of [
  ["no JSON", { prints: "Traceback" }, /bad_output/],
  ["another form", { prints: '{"success": true}' }, /bad_output/],
  ["a failure", { prints: "", code: 3 }, /ended: stix-shifter ended with code 3/],
  ["a line that is too long", { prints: "x", times: 200_000 }, /too_large/],
  ["too many lines", { prints: "1,\n", times: 100_000 }, /too_large/],
] as const) {
  test(`output that is ${what} ends the query only`, async (t) => {
    const { source, drops, published } = await stubSource(t, { behaviour: { query: [step] } });
    await source.search(INDICATOR, never);
    assert.match(drops.join(), expected);
    assert.deepEqual(published, []);
  });
}

test("credentials are neither in the list of processes nor in what is logged", async (t) => {
  const { source, drops, logger, calls } = await stubSource(t, { behaviour: { query: [{ fails: "unknown" }] } });
  await source.search(INDICATOR, never);
  assert.equal(calls().length, 1);
  const told = JSON.stringify([drops, logger.lines, calls()]);
  assert.ok(!told.includes("horse"), told);
  assert.match(drops.join(), /refused .*\(hidden\)/);
});

test("what STIX-Shifter warns of, such as certificates that are not checked, is logged once and without secrets", async (t) => {
  const warns = "urllib3/connectionpool.py:1056: InsecureRequestWarning: Unverified HTTPS request of \u001b[31mreader";
  const { source, logger, published } = await stubSource(t, {
    behaviour: { query: [{ warns }], rows: [observed("198.51.100.3")] },
  });
  await source.search(INDICATOR, never);
  await source.search(INDICATOR, never);
  assert.equal(published.length, 2);
  const warnings = logger.lines.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1, JSON.stringify(warnings));
  assert.match(JSON.stringify(warnings), /InsecureRequestWarning: Unverified HTTPS request of \(hidden\) \d+"/);
});

test("a row found twice is one sighting, and no more are taken than configured", async (t) => {
  const rows = [
    observed("198.51.100.3"),
    observed("198.51.100.3", { id: "observed-data--other" }),
    observed("198.51.100.4"),
  ];
  const twice = await stubSource(t, { behaviour: { rows } });
  await twice.source.search(INDICATOR, never);
  assert.equal(twice.published.length, 2);
  const one = await stubSource(t, { behaviour: { rows }, parts: { maxSightings: 1 } });
  await one.source.search(INDICATOR, never);
  assert.equal(one.published.length, 1);
});

test("observations that are no valid sightings are counted, the others published", async (t) => {
  const rows = [
    observed("198.51.100.3", { deep: JSON.parse(`${"[".repeat(100)}${"]".repeat(100)}`) }),
    observed("198.51.100.4"),
  ];
  const { source, drops, published } = await stubSource(t, { behaviour: { rows } });
  await source.search(INDICATOR, never);
  assert.match(drops.join(), /^invalid_sighting/);
  assert.equal(published.length, 1);
});

/** Counts how much is done at the same time. */
class CountingSlots extends Slots {
  most = 0;
  #now = 0;

  override run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return super.run(signal, async () => {
      this.#now += 1;
      this.most = Math.max(this.most, this.#now);
      try {
        return await work();
      } finally {
        this.#now -= 1;
      }
    });
  }
}

test("queries keep to the bounds of their source and of all sources", async (t) => {
  const slots = new CountingSlots(2);
  const allSlots = new CountingSlots(1);
  const { source, published } = await stubSource(t, {
    behaviour: { rows: [observed("198.51.100.3")] },
    parts: { slots, allSlots },
  });
  await Promise.all([1, 2, 3].map((index) => source.search(numberedIndicator(index).object, never)));
  assert.deepEqual([slots.most, allSlots.most, published.length], [2, 1, 3]);
});
