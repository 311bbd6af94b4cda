/**
 * kill -9 of the bus while an app publishes with receipts. THREATBUS_RECEIPT_KILLS sets how often (default 5): what
 * publishAccepted has confirmed is in the log, always.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@threatbus/client";
import { folder } from "../interop/support/process.ts";
import { logOf, type Settings, startBus, stopCleanly } from "./support/bus.ts";
import { app } from "./support/client.ts";
import { indicator } from "./support/flow.ts";
import { readLog } from "./support/numbered.ts";

const KILLS = Number(process.env.THREATBUS_RECEIPT_KILLS ?? 5);
const BATCH = 50;

/** Publishes batches until it is told to stop; says up to which number the bus has confirmed. */
class Load {
  confirmed = 0;
  #stop = false;
  readonly #running: Promise<void>;

  constructor(client: Client) {
    this.#running = this.#run(client);
  }

  async end(): Promise<void> {
    this.#stop = true;
    await this.#running;
  }

  async #run(client: Client): Promise<void> {
    while (!this.#stop) {
      const batch = Array.from({ length: BATCH }, (_, index) => indicator(this.confirmed + index + 1));
      this.confirmed += await client.publishAccepted(batch);
    }
  }
}

test(`what was confirmed survives: the bus is killed ${KILLS} times`, { timeout: 120_000 }, async (t) => {
  const cwd = await folder(t);
  const settings: Settings = { folder: cwd, top: { store: { durability: "always" } } };
  let bus = await startBus(t, settings);
  const load = new Load(app(t, bus, "publisher"));
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const before = load.confirmed;
    while (load.confirmed < before + 2 * BATCH) await sleep(5);
    await sleep(Math.random() * 100);
    bus.child.kill("SIGKILL");
    await bus.child.exited;
    const { confirmed } = load;
    const numbers = new Set((await readLog(logOf(cwd))).map(({ number }) => number));
    for (let number = 1; number <= confirmed; number += 1) assert.ok(numbers.has(number), `${number} of ${confirmed}`);
    bus = await startBus(t, settings, bus.ports);
  }
  await load.end();
  await stopCleanly(bus);
  const logged = (await readLog(logOf(cwd))).map(({ number }) => number);
  const firsts = [...new Set(logged)];
  assert.deepEqual(
    firsts,
    Array.from({ length: load.confirmed }, (_, index) => index + 1),
    "each at least once, and first in order",
  );
});
