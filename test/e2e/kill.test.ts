/**
 * kill -9 of the whole bus at random moments under load. THREATBUS_BUS_KILLS sets how often (default 10 for each
 * durability; the store by itself is killed 200 times in its own tests).
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { checkLog } from "@threatbus/store";
import { folder } from "../interop/support/process.ts";
import { type Bus, launch, logOf, type Settings, startBus, stopCleanly } from "./support/bus.ts";
import { assertNothingMissing, Collector } from "./support/collector.ts";
import { accepted, type Logged, NUMBERED, order, readLog, untilAccepted } from "./support/numbered.ts";

const KILLS = Number(process.env.THREATBUS_BUS_KILLS ?? 10);
const DURABILITIES = ["interval", "always"] as const;
const SYNC_INTERVAL = 50;
/** Milliseconds by which a thread may be late on a machine that has other things to do. */
const LATE = 1_000;
/** Numbers of one life of the bus. */
const LIFE = 1_000_000;

/** The bus that is killed again and again, and what has to be true of its log. */
class Victim {
  readonly path: string;
  readonly #t: TestContext;
  readonly #settings: Settings;
  readonly #isAlways: boolean;
  /** All that was ever in the log. */
  readonly log: Logged[] = [];
  /** Highest position that anybody has heard of. */
  highest = 0;

  constructor(t: TestContext, durability: (typeof DURABILITIES)[number], cwd: string) {
    this.#t = t;
    this.#isAlways = durability === "always";
    this.path = logOf(cwd);
    const store = { durability, sync_interval: `${SYNC_INTERVAL}ms` };
    // Starting is most of what a life takes.
    const env = { NODE_COMPILE_CACHE: join(cwd, "compile-cache") };
    this.#settings = { folder: cwd, apps: NUMBERED, top: { store }, env };
  }

  start(before?: Bus): Promise<Bus> {
    return startBus(this.#t, this.#settings, before?.ports);
  }

  /** Publishes in one life of the bus until a random moment, and looks at what the log has kept. */
  async live(bus: Bus, life: number, isLong: boolean): Promise<void> {
    const first = life * LIFE + 1;
    order(bus, { first, count: LIFE - 1, pause: 5 });
    await bus.child.line(/^accepted /);
    await sleep((isLong ? SYNC_INTERVAL + LATE : 0) + Math.random() * 400);
    const killed = Date.now();
    bus.child.kill("SIGKILL");
    assert.deepEqual(await bus.child.exited, { code: null, signal: "SIGKILL" });
    const kept = await this.look();
    const numbers = kept.map(({ number }) => number);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => first + index),
      "of one life the log has all up to some message",
    );
    const safe = accepted(bus.child).filter(({ time }) => this.#isAlways || time < killed - SYNC_INTERVAL - LATE);
    const promised = safe.at(-1)?.last ?? 0;
    assert.ok((numbers.at(-1) ?? 0) >= promised, `${promised} was accepted, and the log ends at ${numbers.at(-1)}`);
  }

  /** Kills a bus, and the next one while it is still starting. */
  async killAtStart(before: Bus): Promise<void> {
    before.child.kill("SIGKILL");
    await before.child.exited;
    const child = await launch(this.#t, this.#settings, before.ports);
    await sleep(Math.random() * 500);
    child.kill("SIGKILL");
    await child.exited;
    assert.deepEqual(await this.look(), []);
  }

  /** What is new in the log: its positions are above all that were given before. */
  async look(): Promise<Logged[]> {
    const fresh = await readLog(this.path, this.log.at(-1)?.position ?? 0);
    for (const { position, number } of fresh) {
      assert.ok(position > this.highest, `position ${position} of ${number} was given before, up to ${this.highest}`);
      this.highest = position;
    }
    this.log.push(...fresh);
    return fresh;
  }
}

describe(`kill -9 of the bus, ${KILLS} times`, { concurrency: true, timeout: 60_000 + KILLS * 20_000 }, () => {
  for (const durability of DURABILITIES) {
    test(`durability ${durability}: what was accepted is in the log, and a subscriber with its position misses nothing`, async (t) => {
      const cwd = await folder(t);
      const victim = new Victim(t, durability, cwd);
      const subscriber = new Collector(t, "patient", { from: "earliest", positionFile: join(cwd, "position") });
      let bus = await victim.start();
      subscriber.open(bus);
      // Only a process that ends by itself leaves the compiled code from which the next ones start.
      await stopCleanly(bus);
      bus = await victim.start(bus);
      for (let life = 1; life <= KILLS; life++) {
        if (life % 8 === 0) await victim.killAtStart(bus);
        else await victim.live(bus, life, life % 3 === 0);
        // What the app was told is given to nothing else, although the log may not have kept it.
        victim.highest = Math.max(victim.highest, subscriber.subscription?.position?.position ?? 0);
        const again = await victim.start(bus);
        if (life % 5 === 0) {
          await subscriber.close();
          subscriber.open(again);
        }
        bus = again;
      }
      order(bus, { first: (KILLS + 1) * LIFE + 1, count: 100 });
      const last = (KILLS + 1) * LIFE + 100;
      await untilAccepted(bus, last);
      await subscriber.until(last);
      await subscriber.close();
      await stopCleanly(bus);

      await victim.look();
      assert.deepEqual(await readLog(victim.path), victim.log, "what was in the log once is there");
      assert.deepEqual(await checkLog(victim.path), { ok: true, problems: [] });
      assert.deepEqual(subscriber.gaps, []);
      assertNothingMissing(subscriber.numbers, victim.log);
      t.diagnostic(`${victim.log.length} messages in the log, ${subscriber.numbers.length} received`);
    });
  }
});
