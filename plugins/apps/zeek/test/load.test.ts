import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createMessageFactory, type Message } from "@threatbus/core";
import { eventually, indicator } from "@threatbus/testkit";
import { startPlugin } from "./harness.ts";

/** As many as a large feed has. */
const COUNT = 500_000;
/** Indicators per second that Zeek reads while they are published: far fewer than the bus carries. */
const RATE = 5_000;
const MIB = 1024 * 1024;

const messages = createMessageFactory("test");
const sample = indicator();

/** The indicator of this number, without the parsing that would take longer than the bus does. */
function numbered(number: number): Message {
  const id = `indicator--00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
  const pattern = `[domain-name:value = 'host-${number}.evil.example']`;
  return messages.stix({ ...sample, object: { ...sample.object, id, pattern } });
}

test("500,000 indicators reach a slow Zeek in order and without loss, in bounded memory", async (t) => {
  const harness = await startPlugin(t);
  const { bus } = harness;
  const program = new URL("./slow-zeek.ts", import.meta.url);
  const zeek = fork(program, [String(harness.address.port), String(COUNT), String(RATE)]);
  t.after(() => zeek.kill());
  const found = once(zeek, "message");
  await eventually("the subscription", () => bus.outqs.size === 1);
  const before = process.memoryUsage.rss();
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 50);
  t.after(() => clearInterval(watch));
  const start = performance.now();
  await bus.deliverAll(COUNT, (index) => numbered(index + 1));
  const backlog = await bus.metric("threatbus_zeek_backlog_indicators");
  assert.ok(backlog > COUNT / 2, `the bus was too slow: only ${backlog} had to wait for Zeek`);
  zeek.send("now as fast as you can");
  const [result] = await found;
  assert.deepEqual(result, { received: COUNT, outOfOrder: 0 });
  await eventually("the last acknowledgement", () => bus.unfinished === 0);
  const grown = Math.round((peak - before) / MIB);
  t.diagnostic(`${backlog} waited, memory grew by ${grown} MiB, ${Math.round(performance.now() - start)} ms`);
  assert.equal(bus.lost, 0);
  assert.equal(await bus.metric("threatbus_zeek_indicators_total"), COUNT);
  // As whole messages they would need more than half a gigabyte.
  assert.ok(grown < 200, `memory grew by ${grown} MiB`);
});
