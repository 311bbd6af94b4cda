import { type AppContext, messageOf } from "@threatbus/core";
import type { Value } from "@threatbus/zeek-broker";
import { Backlog } from "./backlog.ts";
import { Condition } from "./condition.ts";
import { acknowledgement, MANAGE_TOPIC, type Management } from "./events.ts";
import { Intake } from "./intake.ts";
import type { Metrics } from "./metrics.ts";
import type { ZeekOptions } from "./options.ts";
import { Outbound } from "./outbound.ts";
import { newP2pTopic } from "./p2p-topic.ts";
import type { Reports } from "./reports.ts";
import { type DeathReason, Subscription } from "./subscription.ts";
import type { Zeek } from "./zeek.ts";

export type EndReason = DeathReason | "overflow" | "refused" | "shutdown";

/** What a log line says of an end that Zeek did not ask for. */
const END_TEXT: Readonly<Record<Exclude<EndReason, "unsubscribed" | "shutdown">, string>> = {
  "never-listened": "subscription dropped: Zeek never listened to its point-to-point topic",
  disconnected: "subscription ended: its Zeek is gone and did not come back",
  overflow: "subscription ended: its queue overflowed",
  refused: "subscription ended: the bus did not take it",
};

const NANOSECONDS_PER_SECOND = 1_000_000_000n;
/** Of a topic that a script asks for, in bytes. */
const MAX_TOPIC_BYTES = 1_024;
/** Longest history, in seconds: a thousand years. */
const MAX_SNAPSHOT = 31_557_600_000;

export interface SubscriptionsParts {
  readonly context: AppContext<ZeekOptions>;
  readonly metrics: Metrics;
  readonly reports: Reports;
}

/** All subscriptions of Zeeks, from the event that makes one to its end, whatever ends it. */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #byTopic = new Map<string, Subscription>();
  /** By the id of the link that made them. */
  readonly #byOwner = new Map<string, Set<Subscription>>();
  readonly #ending = new Set<Promise<void>>();
  #closed = false;

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#byTopic.size;
  }

  /** Indicators that wait for Zeeks, or for their acknowledgements. */
  get backlog(): number {
    let waiting = 0;
    for (const { backlog } of this.#byTopic.values()) waiting += backlog.size;
    return waiting;
  }

  /** Does what a script asks for. */
  handle(request: Management, zeek: Zeek): void {
    const topic = textOf(request.topic);
    if (topic === undefined) {
      this.#parts.reports.refused("topic", 1, `${request.kind} by ${zeek.link.name}`);
      return;
    }
    if (request.kind === "unsubscribe") this.#unsubscribe(topic, zeek);
    else this.#subscribe(topic, Math.max(zeek.link.leastSnapshot, secondsOf(request.snapshot)), zeek);
  }

  /** A Zeek is there, or what it listens to has changed. */
  look(zeek: Zeek): void {
    for (const subscription of this.#of(zeek)) subscription.look(zeek);
  }

  /** A Zeek has gone. */
  lost(zeek: Zeek): void {
    for (const subscription of this.#of(zeek)) subscription.lost(zeek);
  }

  /** A Zeek has acknowledged something. */
  wake(zeek: Zeek): void {
    for (const subscription of this.#of(zeek)) subscription.wake();
  }

  /** Takes no more subscriptions. */
  stopIntake(): void {
    this.#closed = true;
  }

  /** Ends all subscriptions. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const subscription of [...this.#byTopic.values()]) this.#end(subscription, "shutdown");
    await Promise.all(this.#ending);
  }

  #of(zeek: Zeek): Iterable<Subscription> {
    return this.#byOwner.get(zeek.link.id) ?? [];
  }

  /**
   * A Zeek that has lost its connection ends its subscription when it is back, only to make it anew. What it has not got
   * yet must survive that, or a feed that was being loaded would be cut short.
   */
  #unsubscribe(topic: string, zeek: Zeek): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription?.isInterrupted === true && subscription.owner === zeek.link.id) subscription.release();
    else if (subscription !== undefined) this.#end(subscription, "unsubscribed");
    // A Zeek that comes back late names one that has ended: nothing is wrong with that.
    else this.#parts.context.logger.debug({ topic }, "unsubscribed from a point-to-point topic that is not there");
  }

  #subscribe(subject: string, snapshot: number, zeek: Zeek): void {
    const { context, reports } = this.#parts;
    const interrupted = [...this.#of(zeek)].find((each) => each.isInterrupted && each.subject === subject);
    const full = interrupted === undefined && this.#byTopic.size >= context.config.max_subscriptions;
    if (this.#closed || full) {
      reports.refused(full ? "too-many-subscriptions" : "shutdown", 1, zeek.link.name);
      return;
    }
    const subscription = interrupted === undefined ? this.#register(subject, zeek) : this.#renew(interrupted);
    void this.#acknowledge(subscription, zeek);
    subscription.look(zeek);
    if (interrupted === undefined || snapshot > 0) void this.#route(subscription, snapshot, zeek);
    else context.logger.info({ subscription: subscription.name }, "Zeek has renewed its subscription");
  }

  /** Tells Zeek its p2p topic; a connection that is full of indicators is waited for. */
  async #acknowledge(subscription: Subscription, zeek: Zeek): Promise<void> {
    const { reports, context } = this.#parts;
    const { topic } = subscription;
    const answer = acknowledgement(topic, context.config.module_namespace);
    let sent = zeek.link.publish(MANAGE_TOPIC, answer);
    while (sent === "full") {
      await zeek.link.writable(context.signal).catch(() => undefined);
      if (context.signal.aborted || this.#byTopic.get(topic) !== subscription) return;
      sent = zeek.link.publish(MANAGE_TOPIC, answer);
    }
    if (sent === "sent") return;
    // A Zeek that is gone may come back.
    if (sent === "closed") return subscription.lost(zeek);
    reports.refused(`acknowledgement-${sent}`, 1, zeek.link.name);
    this.#end(subscription, "refused");
    zeek.link.drop("it does not listen to acknowledgements");
  }

  #renew(subscription: Subscription): Subscription {
    this.#byTopic.delete(subscription.topic);
    subscription.renew(this.#newTopic(subscription.subject));
    this.#byTopic.set(subscription.topic, subscription);
    return subscription;
  }

  async #route(subscription: Subscription, snapshot: number, zeek: Zeek): Promise<void> {
    const { context } = this.#parts;
    const { name, subject, outq } = subscription;
    try {
      await context.subscribe(subject, outq, snapshot);
      context.logger.info({ subscription: name, topic: subject, snapshot_seconds: snapshot }, "Zeek subscribed");
      // It may have ended meanwhile, when there was nothing to give back yet.
      if (this.#byTopic.get(subscription.topic) !== subscription) await context.unsubscribe(outq);
    } catch (error) {
      context.logger.error({ subscription: name, error: messageOf(error) }, "subscribing failed");
      this.#end(subscription, "refused");
      zeek.link.drop("subscribing failed");
    }
  }

  #register(subject: string, zeek: Zeek): Subscription {
    const { context, metrics, reports } = this.#parts;
    const { config } = context;
    const topic = this.#newTopic(subject);
    const name = `${zeek.link.name}/${topic.slice(-4)}`;
    const outq = context.createOutq({
      name,
      overflow: config.overflow,
      maxItems: config.max_items,
      maxBytes: config.max_bytes,
      onDisconnect: () => {
        this.#end(subscription, "overflow");
        zeek.link.drop("its queue overflowed");
      },
    });
    const backlog = new Backlog(config.max_backlog);
    const changed = new Condition();
    const common = { outq, backlog, changed, supervision: context };
    const intake = new Intake({
      ...common,
      name: `zeek ${name} intake`,
      unmapped: (reason, sample) => reports.unmapped(reason, sample),
    });
    const outbound = new Outbound({
      ...common,
      name: `zeek ${name}`,
      namespace: config.module_namespace,
      delivered: (count) => metrics.delivered.inc(count),
      unsendable: (reason, sample) => reports.undelivered(reason, 1, sample),
    });
    const subscription: Subscription = new Subscription({
      topic,
      subject,
      name,
      owner: zeek.link.id,
      outq,
      backlog,
      changed,
      intake,
      outbound,
      patience: { first: config.subscribe_timeout, later: config.linger },
      died: (reason) => this.#end(subscription, reason),
    });
    this.#byTopic.set(topic, subscription);
    const owned = this.#byOwner.get(subscription.owner);
    if (owned === undefined) this.#byOwner.set(subscription.owner, new Set([subscription]));
    else owned.add(subscription);
    subscription.start();
    return subscription;
  }

  /** Ends a subscription, once. */
  #end(subscription: Subscription, reason: EndReason): void {
    if (!this.#byTopic.delete(subscription.topic)) return;
    const owned = this.#byOwner.get(subscription.owner);
    owned?.delete(subscription);
    if (owned?.size === 0) this.#byOwner.delete(subscription.owner);
    const ending = this.#finish(subscription, reason).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #finish(subscription: Subscription, reason: EndReason): Promise<void> {
    const { context, metrics, reports } = this.#parts;
    const { name, outq, backlog } = subscription;
    metrics.ended.inc({ reason });
    await subscription.stop();
    const undelivered = outq.size + outq.owed + backlog.size;
    if (backlog.size > 0) {
      reports.undelivered("subscription-ended", backlog.size, name);
      outq.abandon(backlog.size);
    }
    try {
      await context.unsubscribe(outq);
    } catch (error) {
      context.logger.error({ subscription: name, error: messageOf(error) }, "unsubscribing failed");
    }
    const fields = { subscription: name, reason, undelivered };
    if (reason !== "unsubscribed" && reason !== "shutdown") context.logger.warn(fields, END_TEXT[reason]);
    else if (undelivered > 0) context.logger.warn(fields, "subscription ended with indicators that were not delivered");
    else context.logger.info(fields, "subscription ended");
  }

  #newTopic(subject: string): string {
    let made = newP2pTopic(subject);
    while (this.#byTopic.has(made)) made = newP2pTopic(subject);
    return made;
  }
}

/** A topic as text; undefined where it is none, or too long. */
function textOf(value: Value): string | undefined {
  if (value.type !== "string" || typeof value.value !== "string") return undefined;
  return Buffer.byteLength(value.value) <= MAX_TOPIC_BYTES ? value.value : undefined;
}

/** Whole seconds of an interval, at least one for any that is longer than nothing; 0 for everything else. */
function secondsOf(snapshot: Value): number {
  if (snapshot.type !== "timespan" || snapshot.value <= 0n) return 0;
  const seconds = (snapshot.value + NANOSECONDS_PER_SECOND - 1n) / NANOSECONDS_PER_SECOND;
  return Math.min(Number(seconds), MAX_SNAPSHOT);
}
