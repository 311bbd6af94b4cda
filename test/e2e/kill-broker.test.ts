/**
 * kill -9 of a bus with a broker, at random moments under load, also while the broker has messages that it has not
 * confirmed. THREATBUS_BROKER_KILLS sets how often (default 10).
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { checkLog, Store } from "@threatbus/store";
import { MemoryBroker, serveBroker } from "@threatbus/testkit";
import { read, startInstance } from "../broker/support.ts";
import { folder } from "../interop/support/process.ts";
import { logOf, startBus, stopCleanly } from "./support/bus.ts";
import { assertNothingMissing, Collector } from "./support/collector.ts";
import { accepted, NUMBERED, numberIn, order, readLog, untilAccepted } from "./support/numbered.ts";

const KILLS = Number(process.env.THREATBUS_BROKER_KILLS ?? 10);
/** Numbers of one life of the bus. */
const LIFE = 1_000_000;
const REMOTE = new URL("support/remote-backbone.ts", import.meta.url).pathname;

test("kill -9 of a bus with a broker: what was accepted arrives everywhere, once and in order", {
  timeout: 120_000 + KILLS * 20_000,
}, async (t) => {
  const broker = new MemoryBroker();
  const served = await serveBroker(broker);
  t.after(() => served.close());
  const elsewhere = await startInstance(t, { name: "elsewhere", ways: [broker] });
  const seen = read(t, await elsewhere.subscribe());
  const cwd = await folder(t);
  const settings = {
    folder: cwd,
    apps: NUMBERED,
    backbones: { remote: { module: REMOTE, port: served.port, instance: "victim" } },
    top: { store: { durability: "always" } },
    // Starting is most of what a life takes.
    env: { NODE_COMPILE_CACHE: join(cwd, "compile-cache") },
  };
  const subscriber = new Collector(t, "patient", { from: "earliest", positionFile: join(cwd, "position") });
  let bus = await startBus(t, settings);
  await bus.child.line(/backbone remote connected to the memory broker/);
  subscriber.open(bus);
  // Only a process that ends by itself leaves the compiled code from which the next ones start.
  await stopCleanly(bus);
  /** What each life was told to be accepted. */
  const promised: { readonly first: number; readonly last: number }[] = [];
  let unconfirmed = 0;
  for (let life = 1; life <= KILLS; life += 1) {
    broker.releaseConfirms();
    bus = await startBus(t, settings, bus.ports);
    const first = life * LIFE + 1;
    order(bus, { first, count: LIFE - 1, pause: 2 });
    await bus.child.line(/^accepted /);
    await sleep(Math.random() * 200);
    if (life % 2 === 0) broker.faults.holdConfirms = true;
    await sleep(Math.random() * 200);
    bus.child.kill("SIGKILL");
    assert.deepEqual(await bus.child.exited, { code: null, signal: "SIGKILL" });
    promised.push({ first, last: accepted(bus.child).at(-1)?.last ?? 0 });
    const store = await Store.open({ path: logOf(cwd), readOnly: true });
    unconfirmed += await store.outbox.size();
    await store.close();
  }
  broker.releaseConfirms();
  bus = await startBus(t, settings, bus.ports);
  const last = (KILLS + 1) * LIFE + 1;
  order(bus, { first: last, count: 1, pause: 0 });
  await untilAccepted(bus, last);
  await subscriber.until(last);
  await stopCleanly(bus);
  await subscriber.close();

  t.diagnostic(`${KILLS} kills, ${seen.length} messages, ${unconfirmed} in the outbox after the kills`);
  assert.ok(unconfirmed > 0, "some were killed between the acceptance and the confirmation");
  const numbers = seen.map(({ bytes }) => numberIn(bytes.toString()));
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
    "in order, over all lives",
  );
  assert.equal(new Set(numbers).size, numbers.length, "each once");
  for (const life of promised) {
    const own = numbers.filter((number) => number >= life.first && number < life.first + LIFE);
    assert.deepEqual(
      own,
      own.map((_, index) => life.first + index),
      "of one life all up to some message",
    );
    assert.ok((own.at(-1) ?? 0) >= life.last, `${life.last} was accepted, and ${own.at(-1)} was the last to arrive`);
  }
  const log = await readLog(logOf(cwd));
  assert.deepEqual(
    log.map(({ number }) => number),
    numbers,
    "the log of the victim has each once, too",
  );
  assertNothingMissing(subscriber.numbers, log);
  const store = await Store.open({ path: logOf(cwd), readOnly: true });
  t.after(() => store.close());
  assert.equal(await store.outbox.size(), 0);
  assert.deepEqual(await checkLog(logOf(cwd)), { ok: true, problems: [] });
});
