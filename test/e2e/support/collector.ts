/** A subscriber that keeps what it gets, over any number of connections and lives of its own. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Gap, SubscribeOptions, Subscription } from "@threatbus/client";
import { eventually } from "../../interop/support/wait.ts";
import type { Bus } from "./bus.ts";
import { app } from "./client.ts";
import { type Logged, numberIn } from "./numbered.ts";

export class Collector {
  /** `x_order` of every message, as it came; a message that came twice is there twice. */
  readonly numbers: number[] = [];
  readonly gaps: Gap[] = [];
  readonly #t: TestContext;
  readonly #name: string;
  readonly #options: SubscribeOptions;
  #client: ReturnType<typeof app> | undefined;
  #subscription: Subscription | undefined;
  #reading: Promise<void> | undefined;

  constructor(t: TestContext, name: string, options: SubscribeOptions) {
    this.#t = t;
    this.#name = name;
    this.#options = options;
  }

  /** Begins to read; once more after `close`. */
  open(bus: Bus): Subscription {
    this.#client = app(this.#t, bus, this.#name);
    const subscription = this.#client.subscribe("stix2", { ...this.#options, onGap: (gap) => this.gaps.push(gap) });
    this.#subscription = subscription;
    this.#reading = this.#read(subscription);
    return subscription;
  }

  get subscription(): Subscription | undefined {
    return this.#subscription;
  }

  /** The app ends, and with it everything that is not remembered. */
  async close(): Promise<void> {
    await this.#client?.close();
    await this.#reading;
  }

  /** Waits until this number has come. */
  async until(number: number): Promise<void> {
    let seen = 0;
    await eventually(`${this.#name} to get number ${number}`, () => {
      const from = seen;
      seen = this.numbers.length;
      return this.numbers.indexOf(number, from) >= 0 ? true : undefined;
    });
  }

  async #read(subscription: Subscription): Promise<void> {
    for await (const { bytes } of subscription) this.numbers.push(numberIn(String(bytes)));
  }
}

/**
 * Everything that is in the log has come, in its order, and nothing was left out: where a resumed subscription went back,
 * it went on from there without a gap. What came and is not in the log (lost in a crash) does not matter.
 */
export function assertNothingMissing(received: readonly number[], log: readonly Logged[]): void {
  const indexes = new Map(log.map(({ number }, index) => [number, index]));
  let next = 0;
  for (const [at, number] of received.entries()) {
    const index = indexes.get(number);
    if (index === undefined) continue;
    if (index > next) {
      const around = received.slice(Math.max(0, at - 3), at + 3);
      assert.fail(`${log[next]?.number} is missing before ${number}, the message ${at} that came (${around})`);
    }
    if (index === next) next += 1;
  }
  assert.equal(next, log.length, `what comes from ${log[next]?.number} on is missing`);
}
