import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { DropReport } from "../src/observe/drop-report.ts";
import { type DelayHistogram, watchEventLoop } from "../src/observe/event-loop.ts";
import { counter, createMetrics, gauge, METRICS } from "../src/observe/metrics.ts";
import { recordingLogger } from "./observe-fixtures.ts";

/** A clock that moves when told. */
function fakeClock() {
  const timers = new Map<number, () => void>();
  let time = 0;
  return {
    now: () => time,
    after: (milliseconds: number, run: () => void) => {
      const due = time + milliseconds;
      timers.set(due, run);
      return () => void timers.delete(due);
    },
    timers,
    advance(milliseconds: number): void {
      time += milliseconds;
      for (const [due, run] of timers) {
        if (due > time) continue;
        timers.delete(due);
        run();
      }
    },
  };
}

function report(level?: "debug") {
  const clock = fakeClock();
  const counts = new Map<string, number>();
  const { logger, lines } = recordingLogger();
  const counterStub = {
    inc: ({ reason }: { reason: string }, count: number) => void counts.set(reason, (counts.get(reason) ?? 0) + count),
  };
  const drops = new DropReport({ logger, counter: counterStub, clock, ...(level === undefined ? {} : { level }) });
  const said = () => lines.splice(0).map(({ level, fields }) => [level, fields.reason, fields.count, fields.sample]);
  return { drops, clock, counts, said };
}

test("the first drop is said at once, the following once a second with their number", () => {
  const { drops, clock, counts, said } = report();
  drops.note("not_json", 1, Buffer.from("{oops"));
  assert.deepEqual(said(), [["warn", "not_json", 1, "{oops"]]);
  for (let i = 0; i < 500; i++) drops.note("not_json", 2, `sample ${i}`);
  assert.deepEqual(said(), []);
  assert.equal(clock.timers.size, 1);
  clock.advance(1_000);
  assert.deepEqual(said(), [["warn", "not_json", 1_000, "sample 0"]]);
  assert.equal(clock.timers.size, 0, "no timer runs while nothing waits");
  clock.advance(10_000);
  assert.deepEqual(said(), []);
  assert.equal(counts.get("not_json"), 1_001);
});

test("reasons do not wait for one another", () => {
  const { drops, clock, said } = report("debug");
  drops.note("a");
  drops.note("b");
  drops.note("a");
  assert.deepEqual(said(), [
    ["debug", "a", 1, undefined],
    ["debug", "b", 1, undefined],
  ]);
  clock.advance(1_000);
  assert.deepEqual(said(), [["debug", "a", 1, undefined]]);
});

test("flush says the last counts and ends the timer", () => {
  const { drops, clock, said } = report();
  drops.note("a");
  drops.note("a", 4);
  said();
  drops.flush();
  assert.deepEqual(said(), [["warn", "a", 4, undefined]]);
  assert.equal(clock.timers.size, 0);
  drops.flush();
  assert.deepEqual(said(), []);
});

test("samples are cut to 200 bytes and printable", () => {
  const { drops, clock, said } = report();
  drops.note("a", 1, Buffer.alloc(1_000_000, "x"));
  assert.equal(said()[0]?.[3], `${"x".repeat(200)}...`);
  clock.advance(1_000);
  drops.note("a", 1, Buffer.from([0x1b, 0x5b, 0xff, 0x0a, 0x41]));
  assert.equal(said()[0]?.[3], "\\u001b[\ufffd\\nA");
  clock.advance(1_000);
  drops.note("a", 1, "y".repeat(201));
  assert.equal(said()[0]?.[3], `${"y".repeat(200)}...`);
});

test("the number of reasons is bounded", () => {
  const { drops, counts } = report();
  for (let i = 0; i < 1_000; i++) drops.note(`reason ${i}`);
  assert.equal(counts.size, 101);
  assert.equal(counts.get("other"), 900);
});

/** A histogram of given turns, in milliseconds. */
function turns(longest: readonly number[], quick = 0): DelayHistogram & { resets: number; enabled: boolean } {
  const sorted = [...Array.from({ length: quick }, () => 0.1), ...longest.toSorted((a, b) => a - b)].map(
    (each) => each * 1e6,
  );
  return {
    resets: 0,
    enabled: false,
    count: sorted.length,
    max: sorted.at(-1) ?? 0,
    percentile: (percentile) => sorted[Math.max(1, Math.ceil((percentile / 100) * sorted.length)) - 1] ?? 0,
    reset() {
      this.resets++;
    },
    enable() {
      this.enabled = true;
    },
    disable() {
      this.enabled = false;
    },
  };
}

async function watched(histogram: DelayHistogram) {
  const { logger, lines } = recordingLogger();
  const metrics = new Registry();
  let tick = (): void => {};
  let time = 0;
  let ended = false;
  const end = watchEventLoop({
    logger,
    metrics,
    histogram,
    now: () => time,
    every: (_, run) => {
      tick = run;
      return () => {
        ended = true;
      };
    },
  });
  const delay = async (quantile: string): Promise<number | undefined> => {
    const metric = await metrics.getSingleMetric("threatbus_event_loop_delay_seconds")?.get();
    return metric?.values.find((value) => value.labels.quantile === quantile)?.value;
  };
  return {
    lines,
    delay,
    end,
    hasEnded: () => ended,
    window: (milliseconds = 10_000) => {
      time += milliseconds;
      tick();
    },
  };
}

test("the 99th percentile is over time: the fifth longest turn, however many quick ones there are", async () => {
  for (const quick of [0, 100, 100_000]) {
    const histogram = turns([60, 61, 62, 63, 64], quick);
    const watch = await watched(histogram);
    watch.window();
    assert.equal(await watch.delay("0.99"), 0.06);
    assert.equal(await watch.delay("1"), 0.064);
    assert.equal(watch.lines.length, 1);
    assert.deepEqual(watch.lines[0]?.fields, { p99_ms: 60, max_ms: 64 });
    assert.equal(histogram.resets, 1);
  }
});

test("four slow turns are no warning, one very long turn is", async () => {
  const few = await watched(turns([60, 60, 60, 60], 1_000));
  few.window();
  assert.deepEqual(few.lines, []);
  const long = await watched(turns([151]));
  long.window();
  assert.equal(await long.delay("0.99"), 0.051);
  assert.equal(long.lines.length, 1);
  const idle = await watched(turns([]));
  idle.window();
  assert.deepEqual([await idle.delay("0.99"), idle.lines.length], [0, 0]);
});

test("the warning comes at most once a minute, and the watch can be ended", async () => {
  const histogram = turns([80, 80, 80, 80, 80]);
  const watch = await watched(histogram);
  for (let i = 0; i < 12; i++) watch.window();
  assert.equal(watch.lines.length, 2);
  assert.equal(histogram.enabled, true);
  watch.end();
  assert.deepEqual([watch.hasEnded(), histogram.enabled], [true, false]);
});

test("the real histogram sees a blocked loop", async (t) => {
  const { logger, lines } = recordingLogger();
  let tick = (): void => {};
  const every = (_: number, run: () => void) => {
    tick = run;
    return () => {};
  };
  const end = watchEventLoop({ logger, metrics: new Registry(), every });
  t.after(end);
  for (let i = 0; i < 8; i++) {
    const until = performance.now() + 60;
    while (performance.now() < until);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  tick();
  assert.equal(lines.length, 1);
  assert.ok(Number(lines[0]?.fields.p99_ms) >= 50);
});

test("every metric comes from the table, with its help", async () => {
  const registry = createMetrics();
  const names = (await registry.getMetricsAsJSON()).map((metric) => metric.name);
  for (const name of names) assert.ok(name in METRICS, name);
  const text = await registry.metrics();
  for (const name of names) {
    const value = text.split("\n").find((line) => line.startsWith(`${name} `));
    assert.ok(Number(value?.split(" ")[1]) >= 0, `${name}: ${value}`);
  }
});

test("counters and gauges are made once, and counters of the process do not add up", async () => {
  const registry = createMetrics();
  const dropped = counter(registry, "threatbus_messages_dropped_total");
  assert.equal(counter(registry, "threatbus_messages_dropped_total"), dropped);
  dropped.inc({ component: "zmq", reason: "x" }, 2);
  assert.equal(gauge(registry, "threatbus_subscriptions"), gauge(registry, "threatbus_subscriptions"));
  gauge(registry, "threatbus_inq_messages", (metric) => metric.set(7));
  const text = await registry.metrics();
  assert.match(text, /threatbus_messages_dropped_total\{component="zmq",reason="x"\} 2/);
  assert.match(text, /threatbus_inq_messages 7/);
  await registry.metrics();
  const cpu = Number(/^process_cpu_user_seconds_total (\S+)$/m.exec(await registry.metrics())?.[1]);
  assert.ok(cpu <= process.cpuUsage().user / 1e6);
});
