import type { TestContext } from "node:test";
import { eventually } from "@threatbus/testkit";
import { type SendResult, Value, type ZeekEvent } from "@threatbus/zeek-broker";
import { createMetrics } from "../src/metrics.ts";
import { Reports } from "../src/reports.ts";
import { Subscriptions } from "../src/subscriptions.ts";
import { type Link, Zeek } from "../src/zeek.ts";
import { type BusOptions, domainMessage, FakeBus } from "./bus.ts";

/** A Zeek that does what a test says. */
export class FakeLink implements Link {
  readonly id: string;
  readonly name: string;
  readonly published: { readonly topic: string; readonly event: ZeekEvent }[] = [];
  readonly topics = new Set<string>();
  leastSnapshot = 0;
  dropped: string | undefined;
  result: SendResult = "sent";
  #waiting: PromiseWithResolvers<void>[] = [];

  constructor(id = "zeek-1") {
    this.id = id;
    this.name = id;
  }

  wants(topic: string): boolean {
    return this.topics.has(topic);
  }

  publish(topic: string, event: ZeekEvent): SendResult {
    if (this.result === "sent") this.published.push({ topic, event });
    return this.result;
  }

  async writable(signal: AbortSignal): Promise<void> {
    await eventually("room", () => signal.aborted || this.result !== "full");
  }

  settled(): Promise<void> {
    const waiting = Promise.withResolvers<void>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  pause(): void {}

  resume(): void {}

  drop(reason: string): void {
    this.dropped = reason;
  }

  /** Acknowledges everything so far. */
  acknowledge(): void {
    for (const each of this.#waiting.splice(0)) each.resolve();
  }

  break(): void {
    for (const each of this.#waiting.splice(0)) each.reject(new Error("gone"));
  }

  /** The p2p topics that were acknowledged to this Zeek. */
  get acknowledged(): string[] {
    return this.published.flatMap(({ event }) => (event.name.endsWith("_acknowledged") ? [textOf(event.args[0])] : []));
  }

  /** Values of the indicators that came. */
  get values(): string[] {
    return this.published.flatMap(({ event }) => {
      const [item] = event.args;
      return item?.type === "vector" ? [textOf(item.value[3])] : [];
    });
  }
}

/** The text of a string value; "" for anything else. */
export function textOf(value: Value | undefined): string {
  return value?.type === "string" ? String(value.value) : "";
}

/** The subscriptions of a plugin on a stand-in for the bus, without any connection. */
export class Stage {
  readonly bus: FakeBus;
  readonly subscriptions: Subscriptions;
  readonly #maxInFlight: number;

  constructor(t: TestContext, options: BusOptions = {}) {
    this.bus = new FakeBus(options);
    const { context } = this.bus;
    const none = () => 0;
    const metrics = createMetrics(context.metrics, { peers: none, subscriptions: none, backlog: none, inFlight: none });
    const reports = new Reports(context.logger, metrics);
    this.subscriptions = new Subscriptions({ context, metrics, reports });
    this.#maxInFlight = context.config.max_in_flight;
    t.after(async () => {
      await this.subscriptions.close();
      reports.close();
    });
  }

  connect(link: Link): Zeek {
    const zeek: Zeek = new Zeek(link, this.#maxInFlight, () => this.subscriptions.wake(zeek));
    return zeek;
  }

  subscribe(zeek: Zeek, topic = "stix2/indicator", seconds = 0): void {
    const snapshot = Value.timespan(BigInt(seconds) * 1_000_000_000n);
    this.subscriptions.handle({ kind: "subscribe", topic: Value.string(topic), snapshot }, zeek);
  }

  unsubscribe(zeek: Zeek, p2pTopic: string): void {
    this.subscriptions.handle({ kind: "unsubscribe", topic: Value.string(p2pTopic) }, zeek);
  }

  deliver(from: number, to: number): void {
    for (let number = from; number < to; number += 1) this.bus.deliver(domainMessage(`${number}.example`));
  }
}
