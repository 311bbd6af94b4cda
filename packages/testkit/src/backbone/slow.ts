import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Outq } from "@threatbus/core";
import { collect, eventually } from "../waiting.ts";
import { series } from "./flow.ts";
import { startInstance } from "./instance.ts";
import type { BackboneTarget } from "./target.ts";

/** Several times what the slow queue holds. */
const COUNT = 8_000;

/** How long the backbone may wait for the slow queue, and whether that queue then loses messages. */
const SLOW = {
  "while it may be waited for, it loses nothing": {
    patience: { burst: 1_000_000, refill: 1, stall: 1_000_000 },
    losses: false,
  },
  "when nobody waits for it, it counts what it loses": { patience: { burst: 0, refill: 0, stall: 0 }, losses: true },
};

/** One slow or stuck subscriber neither delays the others nor makes them lose anything. */
export function slowQueueTests<Config>(target: BackboneTarget<Config>): void {
  test("a stuck queue beside a fast one loses only its own messages, and counts them", async (t) => {
    const { inq, plugin } = await startInstance(t, target, await target.site(t));
    const stuck = new Outq({ name: "stuck", maxItems: 100 });
    const fast = new Outq({ name: "fast", maxItems: COUNT });
    for (const queue of [stuck, fast]) await plugin.subscribe("stix2", queue);
    const messages = series("a", COUNT);
    const [received] = await Promise.all([collect(fast, COUNT), inq.putMany(messages)]);
    assert.ok(received.every(({ id }, index) => id === messages[index]?.id));
    assert.equal(fast.dropped, 0);
    assert.deepEqual({ size: stuck.size, dropped: stuck.dropped }, { size: 100, dropped: COUNT - 100 });
  });

  for (const [name, { patience, losses }] of Object.entries(SLOW)) {
    test(`a slow queue beside a fast one: ${name}`, async (t) => {
      const { inq, plugin } = await startInstance(t, target, await target.site(t));
      const slow = new Outq({ name: "slow", maxItems: 2_000 }, { patience });
      const fast = new Outq({ name: "fast", maxItems: COUNT });
      for (const queue of [slow, fast]) await plugin.subscribe("stix2", queue);
      const messages = series("a", COUNT);
      const position = new Map(messages.map(({ id }, index) => [id, index]));
      const [positions] = await Promise.all([
        // However slow the way through a broker is: the reader begins when its queue has overflowed.
        (losses ? eventually("a loss", () => slow.dropped > 0) : Promise.resolve()).then(() =>
          readSlowly(slow, COUNT, position),
        ),
        collect(fast, COUNT),
        inq.putMany(messages),
      ]);
      assert.equal(positions.length + slow.dropped, COUNT, "each message is read or counted");
      assert.ok(
        positions.every((at, index) => index === 0 || at > (positions[index - 1] ?? at)),
        "in order",
      );
      assert.equal(slow.dropped > 0, losses);
      assert.equal(fast.dropped, 0);
    });
  }
}

/** Takes ten messages a turn until `count` are read or lost. @returns positions of those read. */
async function readSlowly(queue: Outq, count: number, position: ReadonlyMap<string, number>): Promise<number[]> {
  const positions: number[] = [];
  while (positions.length + queue.dropped < count) {
    const messages = await queue.getMany(10);
    queue.taskDone(messages.length);
    for (const { id } of messages) positions.push(position.get(id) ?? -1);
    await nextTurn();
  }
  return positions;
}
