import assert from "node:assert/strict";
import { test } from "node:test";
import { IdMemory } from "../../src/flow/id-memory.ts";
import { Outq, type OutqEnvironment } from "../../src/flow/outq.ts";
import { Patience } from "../../src/flow/patience.ts";
import { Router } from "../../src/subscriptions/router.ts";
import { indicator, settle } from "../messages.ts";

/** What a queue reported as lost, as `reason count` lines. */
function dropLog(): { readonly drops: string[]; readonly environment: OutqEnvironment } {
  const drops: string[] = [];
  return { drops, environment: { onDrop: (reason, count) => drops.push(`${reason} ${count}`) } };
}

test("patience: a burst at once, then what time earns, and nothing for a stuck reader", () => {
  const patience = new Patience(0, { burst: 100, refill: 0.1, stall: 1_000 });
  assert.equal(patience.allowance(0, 0), 100);
  patience.spend(100);
  assert.equal(patience.allowance(0, 0), 0);
  assert.equal(patience.allowance(200, 200), 20);
  assert.equal(patience.allowance(10_000, 10_000), 100, "earning ends at the burst");
  assert.equal(patience.allowance(10_000, 9_040), 40, "no longer than until the reader counts as stuck");
  assert.equal(patience.allowance(10_000, 9_000), 0);
});

test("the id memory forgets the oldest first", () => {
  const ids = new IdMemory(2);
  assert.deepEqual([ids.add("a"), ids.add("a"), ids.add("b"), ids.add("c")], [true, false, true, true]);
  assert.deepEqual([ids.add("c"), ids.add("a")], [false, true]);
});

test("drop_oldest keeps the newest and counts every message it loses", async () => {
  const { drops, environment } = dropLog();
  const queue = new Outq({ name: "q", maxItems: 2 }, environment);
  const messages = [indicator(), indicator(), indicator(), indicator()];
  for (const message of messages) queue.offer(message);
  assert.deepEqual([queue.dropped, drops], [2, ["overflow 1", "overflow 1"]]);
  assert.deepEqual(await queue.getMany(10), messages.slice(2));
  assert.equal(queue.unfinished, 2);
  queue.taskDone(2);
  await queue.join();
});

test("a queue is full of few large messages as well, and a larger one takes the room of several", async () => {
  const { drops, environment } = dropLog();
  const small = [indicator(), indicator(), indicator()];
  const large = indicator({ description: "x".repeat(2_000) });
  const maxBytes = small.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const queue = new Outq({ name: "q", maxBytes }, environment);
  for (const message of small) queue.offer(message);
  assert.deepEqual([queue.size, queue.dropped], [3, 0]);
  assert.notEqual(queue.room(), undefined, "a backbone may wait for it");
  queue.offer(large);
  assert.deepEqual([queue.size, queue.dropped, drops.length], [1, 3, 3]);
  assert.deepEqual(await queue.getMany(10), [large]);
  queue.close();
});

test("disconnect ends the subscription once, calls back, and counts what was in it", async () => {
  const { drops, environment } = dropLog();
  let called = 0;
  const onDisconnect = () => {
    called += 1;
  };
  const queue = new Outq({ name: "q", maxItems: 2, overflow: "disconnect", onDisconnect }, environment);
  for (let count = 0; count < 5; count += 1) queue.offer(indicator());
  assert.deepEqual([called, queue.dropped, queue.size], [1, 5, 0]);
  assert.ok(drops.every((drop) => drop.startsWith("disconnected")));
  await queue.join();
  await assert.rejects(queue.get(), { name: "QueueClosedError" });
});

test("an onDisconnect that throws does not cost the other subscriptions a message", () => {
  const router = new Router();
  const onDisconnect = () => {
    throw new Error("the plugin is broken");
  };
  const broken = new Outq({ name: "broken", maxItems: 1, overflow: "disconnect", onDisconnect });
  const other = new Outq({ name: "other" });
  router.subscribe("stix2", broken);
  router.subscribe("stix2", other);
  router.deliver([indicator(), indicator(), indicator()]);
  assert.deepEqual([broken.dropped, other.size], [3, 3]);
});

test("close counts what is left, once", () => {
  const { drops, environment } = dropLog();
  const queue = new Outq({ name: "q" }, environment);
  queue.offer(indicator());
  queue.offer(indicator());
  queue.close();
  queue.close();
  queue.offer(indicator());
  assert.deepEqual([queue.dropped, queue.unfinished, drops], [3, 0, ["unsubscribed 2", "unsubscribed 1"]]);
});

test("room: there is some, then a wait that ends when the reader catches up, then none for a stuck reader", async () => {
  let now = 0;
  const patience = { burst: 1_000_000, refill: 0, stall: 1_000_000 };
  const queue = new Outq({ name: "q", maxItems: 4 }, { now: () => now, patience });
  queue.offer(indicator());
  queue.offer(indicator());
  assert.equal(queue.room(), undefined);
  queue.offer(indicator());
  let resolved = false;
  const wait = queue.room()?.over.then(() => {
    resolved = true;
  });
  assert.ok(wait !== undefined);
  await queue.get();
  await settle();
  assert.equal(resolved, false, "half full is not yet room");
  now = 600_000;
  await queue.get();
  await wait;

  queue.offer(indicator());
  queue.offer(indicator());
  now += 1_000_000;
  assert.equal(queue.room(), undefined, "nobody waits for a reader that has taken nothing for so long");
});

test("room: a reader that still works on what it has taken is not stuck", async () => {
  let now = 0;
  const patience = { burst: 1_000, refill: 1, stall: 100 };
  const queue = new Outq({ name: "q", maxItems: 2 }, { now: () => now, patience });
  queue.offer(indicator());
  queue.offer(indicator());
  await queue.getMany(2);
  queue.offer(indicator());
  queue.offer(indicator());
  now = 90;
  queue.taskDone();
  now = 150;
  assert.notEqual(queue.room(), undefined);
  now = 190;
  assert.equal(queue.room(), undefined);
  queue.close();
});

test("room: closing the queue ends the wait, and the time waited is spent when it is charged", async () => {
  let now = 0;
  const patience = { burst: 500_000, refill: 0, stall: 1_000_000 };
  const environment = { now: () => now, patience };
  const closed = new Outq({ name: "q", maxItems: 1 }, environment);
  closed.offer(indicator());
  const wait = closed.room();
  assert.ok(wait !== undefined);
  closed.close();
  await wait.over;
  assert.equal(closed.room(), undefined);

  const spent = new Outq({ name: "q", maxItems: 1 }, environment);
  spent.offer(indicator());
  for (const charged of [false, true]) {
    const costly = spent.room();
    assert.ok(costly !== undefined);
    now += 500_000;
    await spent.get();
    await costly.over;
    if (charged) costly.charge();
    spent.offer(indicator());
  }
  assert.equal(spent.room(), undefined);
});
