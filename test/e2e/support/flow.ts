/** A publisher of numbered indicators that has each batch confirmed, and what its subscribers should have got of it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@threatbus/client";
import type { Bus } from "./bus.ts";
import { app } from "./client.ts";

/** Numbers of one publisher. */
const RANGE = 10_000_000;
/** Messages published at once. */
const BATCH = 20;
/** Milliseconds between two batches usually: tests of faults are not about speed, and have few cores. */
const PAUSE = 20;

export class Flow {
  /** Its first number. */
  readonly first: number;
  /** The last number that the bus has accepted. */
  confirmed: number;
  /** Milliseconds between two batches; 0: as fast as the bus confirms. */
  pause = PAUSE;
  readonly #client: Client;
  #running: Promise<void> | undefined;
  #stop = false;

  /** @param index tells its numbers from those of other publishers: 1, 2 and so on. */
  constructor(t: TestContext, bus: Bus, index: number) {
    this.first = index * RANGE;
    this.confirmed = this.first - 1;
    this.#client = app(t, bus, `publisher-${index}`);
  }

  /** Messages that were accepted. */
  get count(): number {
    return this.confirmed - this.first + 1;
  }

  /** Publishes so many more. */
  async publish(count: number, padding = 0): Promise<void> {
    const objects = Array.from({ length: count }, (_, index) => indicator(this.confirmed + 1 + index, padding));
    this.confirmed += await this.#client.publishAccepted(objects);
  }

  /** Publishes until `end`. @param padding bytes by which messages are larger */
  begin(padding = 0): void {
    const go = async (): Promise<void> => {
      while (!this.#stop) {
        await this.publish(BATCH, padding);
        // This pause is the load that is wanted, not a wait for anything.
        await (this.pause > 0 ? sleep(this.pause) : nextTurn());
      }
    };
    this.#running = go();
    // It is reported by `end`.
    this.#running.catch(() => undefined);
  }

  /** Publishes no more; all that it has published is then accepted. */
  async end(): Promise<void> {
    this.#stop = true;
    await this.#running;
  }

  /** What of these numbers is from this publisher, as it came. */
  of(numbers: readonly number[]): number[] {
    return numbers.filter((number) => number >= this.first && number < this.first + RANGE);
  }

  /** Each number has come once, in order. */
  assertOnce(numbers: readonly number[], who: string): void {
    const own = this.of(numbers);
    const wrong = own.findIndex((number, index) => number !== this.first + index);
    const around = own.slice(Math.max(0, wrong - 3), wrong + 3).join(" ");
    assert.equal(wrong, -1, `${who} got ${own.length} of ${this.count}, and of those ${wrong} in order: ${around}`);
    assert.equal(own.length, this.count, who);
  }

  /** Each number has come, in whatever order. */
  assertArrived(numbers: readonly number[], who: string): void {
    assert.equal(new Set(this.of(numbers)).size, this.count, who);
  }

  /** Each number has come, in order but for those that came again. */
  assertAll(numbers: readonly number[], who: string): void {
    this.assertOnce([...new Set(numbers)], who);
  }
}

/** The indicator with this number, valid for ever. */
export function indicator(number: number, padding = 0) {
  return {
    type: "indicator",
    spec_version: "2.1",
    id: `indicator--00000000-0000-4000-8000-${`${number}`.padStart(12, "0")}`,
    created: "2026-01-02T03:04:05.123Z",
    modified: "2026-01-02T03:04:05.123Z",
    pattern: `[domain-name:value = 'd${number}.example']`,
    pattern_type: "stix",
    valid_from: "2026-01-02T03:04:05Z",
    x_order: number,
    ...(padding === 0 ? {} : { description: "x".repeat(padding) }),
  };
}
