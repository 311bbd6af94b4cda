import type { Outq } from "@threatbus/core";
import type { Backlog } from "./backlog.ts";
import type { Condition } from "./condition.ts";
import type { Intake } from "./intake.ts";
import type { Outbound } from "./outbound.ts";
import type { Zeek } from "./zeek.ts";

/** Why a subscription is over: "unsubscribed" when its Zeek said so. */
export type DeathReason = "never-listened" | "disconnected" | "unsubscribed";

export interface SubscriptionParts {
  /** The p2p topic. */
  readonly topic: string;
  /** What Zeek has subscribed to. */
  readonly subject: string;
  /** For logs and metrics. */
  readonly name: string;
  /** Id of the link of the Zeek that subscribed. */
  readonly owner: string;
  readonly outq: Outq;
  readonly backlog: Backlog;
  readonly changed: Condition;
  readonly intake: Intake;
  readonly outbound: Outbound;
  /** How long it waits for Zeek: before it listens for the first time, and after it is gone; in milliseconds. */
  readonly patience: { readonly first: number; readonly later: number };
  /** Hears that Zeek did not come in time. */
  readonly died: (reason: DeathReason) => void;
}

/** One subscription of a Zeek: its queue, its backlog, the workers between, and whether its Zeek listens. */
export class Subscription {
  readonly name: string;
  readonly subject: string;
  readonly owner: string;
  readonly outq: Outq;
  readonly backlog: Backlog;
  readonly #parts: SubscriptionParts;
  #topic: string;
  #zeek: Zeek | undefined;
  #isInterrupted = false;
  #isReleased = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#topic = parts.topic;
    this.name = parts.name;
    this.subject = parts.subject;
    this.owner = parts.owner;
    this.outq = parts.outq;
    this.backlog = parts.backlog;
    this.#awaitZeek();
  }

  /** The p2p topic. */
  get topic(): string {
    return this.#topic;
  }

  /** Its Zeek was gone at least once since it subscribed: it will subscribe anew. */
  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  start(): void {
    this.#parts.intake.start();
    this.#parts.outbound.start();
  }

  /** Looks again whether this Zeek, which is connected, listens to the p2p topic. */
  look(zeek: Zeek): void {
    // A topic that was unsubscribed from may still stand in Zeek's filter: what is sent there now would be lost.
    const listens = !this.#isReleased && zeek.link.wants(this.#topic);
    if (listens && zeek !== this.#zeek) this.#attach(zeek);
    else if (!listens && zeek === this.#zeek) this.#detach("disconnected");
  }

  /** This Zeek is gone. */
  lost(zeek: Zeek): void {
    if (this.#zeek !== undefined && this.#zeek !== zeek) return;
    this.#isInterrupted = true;
    this.#detach("disconnected");
  }

  /** Zeek, which has come back, ends it, and will subscribe anew at once: keeps what it has for that. */
  release(): void {
    this.#isReleased = true;
    this.#detach("unsubscribed");
  }

  /** Goes on with another p2p topic, for a Zeek that has subscribed anew. */
  renew(topic: string): void {
    this.#isInterrupted = false;
    this.#isReleased = false;
    this.#zeek = undefined;
    this.#topic = topic;
    this.#parts.outbound.detach();
    this.#awaitZeek();
  }

  /** There may be room for more on the way to Zeek. */
  wake(): void {
    this.#parts.changed.notify();
  }

  /** Stops both workers; messages that Zeek has not acknowledged stay in outq and backlog. */
  async stop(): Promise<void> {
    clearTimeout(this.#deadline);
    const { intake, outbound } = this.#parts;
    outbound.detach();
    intake.stop();
    outbound.stop();
    await Promise.all([intake.join(), outbound.join()]);
  }

  #attach(zeek: Zeek): void {
    clearTimeout(this.#deadline);
    this.#zeek = zeek;
    this.#parts.outbound.attach(zeek, this.#topic);
  }

  #detach(reason: DeathReason): void {
    this.#zeek = undefined;
    this.#parts.outbound.detach();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#parts.died(reason), this.#parts.patience.later);
  }

  #awaitZeek(): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#parts.died("never-listened"), this.#parts.patience.first);
  }
}
