import { type AppContext, messageOf, type Outq, type SnapshotRequestMessage, ThreatBusError } from "@threatbus/core";
import type { Xpub } from "@threatbus/zmtp";
import type { Attachments } from "./attachments.ts";
import type { Clock } from "./clock.ts";
import { type DeathReason, Liveness } from "./liveness.ts";
import type { Metrics } from "./metrics.ts";
import type { ZmqOptions } from "./options.ts";
import { Outbound } from "./outbound.ts";
import { newP2pTopic } from "./p2p-topic.ts";
import type { Reports } from "./reports.ts";
import type { SubscribeRequest } from "./requests.ts";
import { Subscription } from "./subscription.ts";
import { TurnBudget } from "./turn-budget.ts";

export type EndReason = DeathReason | "unsubscribed" | "overflow" | "abandoned" | "shutdown";

/** What a log line says of an end that the app did not ask for. */
const END_TEXT: Readonly<Record<Exclude<EndReason, "unsubscribed" | "shutdown">, string>> = {
  "never-connected": "subscription dropped: its app never connected to the pub port",
  disconnected: "subscription ended: its app disconnected and did not come back",
  "no-heartbeat": "subscription ended: its app sends no heartbeats any more",
  overflow: "subscription ended: its queue overflowed",
  abandoned: "subscription ended: it was made too late to tell its app",
};

/** What every log line about an end carries. */
interface EndFields {
  readonly subscription: string;
  readonly reason: EndReason;
  readonly undelivered: number;
}

/** A subscription was refused; the message is for the app. */
export class RefusedError extends Error {
  override readonly name: string = "RefusedError";
}

/** A subscription was refused for now: the same request may succeed soon. */
export class UnavailableError extends RefusedError {
  override readonly name = "UnavailableError";
}

export interface SubscriptionsParts {
  readonly context: AppContext<ZmqOptions>;
  readonly xpub: Xpub;
  readonly attachments: Attachments<Subscription>;
  readonly metrics: Metrics;
  readonly reports: Reports;
  readonly clock: Clock;
}

/** All subscriptions of apps, from the request that makes one to its end, whatever ends it. */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #byTopic = new Map<string, Subscription>();
  readonly #ending = new Set<Promise<void>>();
  readonly #budget = new TurnBudget();
  /** Subscriptions being made: they count for the limit. */
  #adding = 0;
  #closed = false;

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#byTopic.size;
  }

  get(topic: string): Subscription | undefined {
    return this.#byTopic.get(topic);
  }

  /**
   * Makes a subscription with a new p2p topic. Nothing is left behind when it fails.
   * @throws RefusedError when there are too many, UnavailableError when the plugin is stopping; ThreatBusError TB_NO_LOG.
   */
  async add(request: SubscribeRequest): Promise<Subscription> {
    const { config } = this.#parts.context;
    if (this.#closed) throw new UnavailableError("shutting down");
    if (this.#byTopic.size + this.#adding >= config.max_subscriptions) throw new RefusedError("too many subscriptions");
    this.#adding += 1;
    try {
      return await this.#make(request);
    } finally {
      this.#adding -= 1;
    }
  }

  /** Ends a subscription, once; resolves when its queue is given back. Never rejects. */
  async end(subscription: Subscription, reason: EndReason): Promise<void> {
    if (!this.#byTopic.delete(subscription.topic)) return;
    const ending = this.#end(subscription, reason);
    this.#ending.add(ending);
    await ending;
    this.#ending.delete(ending);
  }

  /** Passes a snapshot request on to every app but the one that asked. */
  forward(request: SnapshotRequestMessage): void {
    for (const subscription of this.#byTopic.values()) subscription.forward(request);
  }

  /** Ends all subscriptions and takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const subscription of [...this.#byTopic.values()]) void this.end(subscription, "shutdown");
    await Promise.all(this.#ending);
  }

  async #make(request: SubscribeRequest): Promise<Subscription> {
    const { context } = this.#parts;
    if (request.from !== undefined && context.logId === undefined) {
      throw new ThreatBusError("TB_NO_LOG", "the durable log is off");
    }
    const topic = this.#newTopic();
    const name = `${request.name ?? "app"}/${topic.slice(0, 6)}`;
    const overflow: { full: boolean; end?: () => void } = { full: false };
    let made: Subscription | undefined;
    const outq = context.createOutq({
      name,
      overflow: context.config.overflow,
      maxItems: context.config.max_items,
      maxBytes: context.config.max_bytes,
      ...(request.filter === undefined ? {} : { filter: request.filter }),
      onDisconnect: () => {
        overflow.full = true;
        overflow.end?.();
      },
      onProgress: () => made?.outbound.progressed(),
    });
    const snapshotId = await this.#subscribe(request, outq);
    const subscription = this.#register(topic, name, request, outq);
    made = subscription;
    subscription.snapshotId = snapshotId;
    overflow.end = () => void this.end(subscription, "overflow");
    if (overflow.full) overflow.end();
    return subscription;
  }

  async #subscribe(request: SubscribeRequest, outq: Outq): Promise<string | undefined> {
    const { context } = this.#parts;
    try {
      const snapshotId = await context.subscribe(request.topics, outq, request.snapshotSeconds, request.from);
      if (this.#closed) throw new UnavailableError("shutting down");
      return snapshotId;
    } catch (error) {
      await this.#giveBack(outq);
      throw error;
    }
  }

  #register(topic: string, name: string, request: SubscribeRequest, outq: Outq): Subscription {
    const { context, xpub, attachments, clock } = this.#parts;
    const { config } = context;
    const limits = {
      subscribeTimeout: config.subscribe_timeout,
      heartbeatTimeout: config.heartbeat_timeout,
      linger: config.linger,
    };
    const { topics, positions = false } = request;
    const { logId } = context;
    const sender = xpub.sender(topic);
    const outbound = new Outbound({
      name: `zmq ${name}`,
      outq,
      sender,
      budget: this.#budget,
      positions,
      onUnreachable: () => attachments.lost(subscription),
      supervision: context,
    });
    const liveness = new Liveness(limits, clock, (reason) => void this.end(subscription, reason));
    const subscription = new Subscription({
      topic,
      name,
      topics,
      outq,
      sender,
      outbound,
      liveness,
      logId,
      positions,
    });
    this.#byTopic.set(topic, subscription);
    attachments.add(subscription);
    outbound.start();
    return subscription;
  }

  async #end(subscription: Subscription, reason: EndReason): Promise<void> {
    const { attachments, metrics, reports } = this.#parts;
    attachments.delete(subscription);
    metrics.ended.inc({ reason });
    await subscription.stop();
    const { outq, outbound, name } = subscription;
    const undelivered = outq.size + outq.owed + outbound.unsent;
    const resumable = undelivered > 0 ? subscription.resumePosition : undefined;
    if (outbound.unsent > 0) {
      reports.undelivered("subscription-ended", outbound.unsent, name);
      outq.abandon(outbound.unsent);
    }
    await this.#giveBack(outq);
    const fields = { subscription: name, reason, undelivered };
    this.#report(fields, resumable);
  }

  #report(fields: EndFields, resumePosition: number | undefined): void {
    const { logger } = this.#parts.context;
    const { reason, undelivered } = fields;
    const unexpected = reason !== "unsubscribed" && reason !== "shutdown";
    if (resumePosition !== undefined) {
      const text = `what was not delivered is in the durable log: its app can resume from position ${resumePosition}`;
      const line = { ...fields, resumePosition };
      if (unexpected) logger.warn(line, `${END_TEXT[reason]}; ${text}`);
      else logger.info(line, `subscription ended; ${text}`);
    } else if (unexpected) logger.warn(fields, END_TEXT[reason]);
    else if (undelivered > 0) logger.warn(fields, "subscription ended with messages that were not delivered");
    else logger.debug(fields, "subscription ended");
  }

  async #giveBack(outq: Outq): Promise<void> {
    const { context } = this.#parts;
    try {
      await context.unsubscribe(outq);
    } catch (error) {
      context.logger.error({ subscription: outq.name, error: messageOf(error) }, "unsubscribing failed");
    }
  }

  #newTopic(): string {
    let topic = newP2pTopic();
    while (this.#byTopic.has(topic)) topic = newP2pTopic();
    return topic;
  }
}
