import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Registry } from "prom-client";
import type { Message, StixMessage } from "../../src/contracts/message.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { createMessageFactory } from "../../src/flow/message-factory.ts";
import { type WallClock, Withdrawals } from "../../src/withdrawals/withdrawals.ts";
import type { MemoryLog } from "../memory-log.ts";
import { recordingLogger } from "../observe-fixtures.ts";

/** More turns of the event loop than anything here takes. */
const MANY_TURNS = 1_000_000;

/** A wall clock that is set, with its one timer. */
export class TestClock implements WallClock {
  #now: number;
  #timers = new Map<() => void, number>();

  constructor(now: string) {
    this.#now = Date.parse(now);
  }

  /** Does somebody wait? */
  get isAwaited(): boolean {
    return this.#timers.size > 0;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, run: () => void): () => void {
    this.#timers.set(run, milliseconds);
    return () => this.#timers.delete(run);
  }

  /** Time goes by: the wall clock, and the timers that are due then. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const [run, left] of [...this.#timers]) {
      this.#timers.set(run, left - milliseconds);
      if (left > milliseconds) continue;
      this.#timers.delete(run);
      run();
    }
  }

  /** Somebody sets the clock, and no time goes by. */
  jumpTo(now: string): void {
    this.#now = Date.parse(now);
  }
}

interface InstanceOptions {
  readonly log?: MemoryLog;
  readonly clock: TestClock;
  /** Does what comes out of the inq enter the log? False: the process dies before. */
  readonly isCarried?: boolean;
  /** Milliseconds; see WithdrawalsOptions. */
  readonly grace?: number;
}

/** An instance of the bus, as far as withdrawals see it. */
export class Instance {
  readonly metrics = new Registry();
  readonly withdrawals: Withdrawals;
  readonly lines;
  /** What was withdrawn. */
  readonly removals: StixMessage[] = [];
  readonly #inq = new JoinableQueue<Message>(100);
  readonly #options: InstanceOptions;

  constructor(t: TestContext, options: InstanceOptions) {
    const { logger, lines } = recordingLogger();
    this.lines = lines;
    this.#options = options;
    const messages = createMessageFactory("threatbus");
    const { log, clock, grace = 0 } = options;
    this.withdrawals = new Withdrawals({ log, clock, grace, inq: this.#inq, messages, logger, metrics: this.metrics });
    this.withdrawals.start();
    t.after(() => this.end());
  }

  /** What apps publish: it is entered into the log, and seen. */
  async publish(...messages: readonly StixMessage[]): Promise<void> {
    const appended = await this.#options.log?.append(messages);
    const isKept = appended !== undefined && appended.first > 0;
    for (const [index, message] of messages.entries()) {
      const position = isKept ? appended.first + index : undefined;
      Object.assign(message, { position });
    }
    this.withdrawals.observe(messages);
  }

  /** Lets everything happen that happens without time. */
  async settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; quiet < 5; turn += 1) {
      assert.ok(turn < MANY_TURNS, "it does not come to rest");
      await new Promise((resolve) => setImmediate(resolve));
      const taken = this.#inq.takeNow(100) as StixMessage[];
      this.removals.push(...taken);
      if (this.#options.isCarried !== false && taken.length > 0) await this.publish(...taken);
      const waits = this.#options.clock.isAwaited || this.#options.log === undefined;
      quiet = waits && taken.length === 0 ? quiet + 1 : 0;
    }
  }

  /** Time goes by in steps, so that each timer has its chance. */
  async advance(milliseconds: number, step = 30_000): Promise<void> {
    for (let left = milliseconds; left > 0; left -= step) {
      this.#options.clock.advance(Math.min(step, left));
      await this.settle();
    }
  }

  async end(): Promise<void> {
    this.withdrawals.stop();
    await this.withdrawals.join();
  }

  async counted(reason: "expired" | "revoked"): Promise<number> {
    const metric = await this.metrics.getSingleMetric("threatbus_withdrawals_total")?.get();
    return metric?.values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
  }
}

/** Ids of the indicators that messages withdraw. */
export function idsOf(messages: readonly StixMessage[]): readonly string[] {
  return messages.map(({ stix }) => stix.object.id);
}

export function indicatorId(number: number): string {
  return `indicator--00000000-0000-4000-8000-${number.toString().padStart(12, "0")}`;
}
