/** Resuming while whatever can break does, at random. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RememberedPosition } from "../src/index.ts";
import { FakeBus, FakeLog } from "./fake-bus.ts";
import { TIMEOUT } from "./fast-client.ts";
import { indicator } from "./objects.ts";
import { random } from "./random.ts";
import { subscribe } from "./subscribe.ts";

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(
    `whatever breaks, every message comes, in order, and no position runs ahead (seed ${seed})`,
    TIMEOUT,
    async (t) => {
      const dice = random(seed);
      const log = new FakeLog("log-1");
      let bus = await FakeBus.start(t, { log });
      const { managePort } = bus;
      const total = 400;
      const numberOf = new Map(Array.from({ length: total }, (_, number) => [indicator(number).id, number]));
      const seen: number[] = [];
      let breaks = 0;
      const ahead: string[] = [];
      let dealtWith = 0;
      const position = {
        load: () => undefined,
        save: ({ position: saved }: RememberedPosition) => {
          if (saved > dealtWith) ahead.push(`${saved} is saved, ${dealtWith} are dealt with`);
        },
      };
      const { subscription, gaps } = subscribe(t, bus, { position, queueSize: 1 + dice(20) });
      await subscription.ready();
      const reading = (async () => {
        for await (const { object } of subscription) {
          const number = numberOf.get(object.id) ?? -1;
          seen.push(number);
          if (dice(10) === 0) await new Promise((resolve) => setImmediate(resolve));
          dealtWith = Math.max(dealtWith, number + 1);
          if (number === total - 1) break;
        }
      })();
      for (let number = 0; number < total; number += 1) {
        bus.telling = dice(3) > 0;
        bus.inject(indicator(number));
        const event = dice(100);
        if (event < 40) await new Promise((resolve) => setImmediate(resolve));
        if (event < 90) continue;
        // Mostly when messages flow; else while the subscription is still being made again.
        if (dice(5) > 0) await bus.until(() => subscription.state === "live");
        breaks += 1;
        if (event < 95) await bus.breakConnections();
        else if (event < 97) for (const { p2pTopic } of bus.subscriptions.values()) bus.forget(p2pTopic);
        else {
          await bus.stop();
          bus = await FakeBus.start(t, { managePort, log });
        }
      }
      await reading;
      assert.deepEqual(ahead, []);
      assert.ok(breaks > 10);
      const first = [...new Set(seen)];
      assert.deepEqual(
        first,
        Array.from({ length: total }, (_, number) => number),
      );
      assert.deepEqual(gaps, []);
    },
  );
}
