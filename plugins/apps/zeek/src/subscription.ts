import type { Outq } from "@threatbus/core";
import type { Backlog } from "./backlog.ts";
import type { Condition } from "./condition.ts";
import type { Intake } from "./intake.ts";
import type { Outbound } from "./outbound.ts";
import type { Zeek } from "./zeek.ts";

export type DeathReason = "never-listened" | "disconnected";

export interface SubscriptionParts {
  /** The p2p topic. */
  readonly topic: string;
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
  readonly topic: string;
  readonly name: string;
  readonly owner: string;
  readonly outq: Outq;
  readonly backlog: Backlog;
  readonly #parts: SubscriptionParts;
  #zeek: Zeek | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.topic = parts.topic;
    this.name = parts.name;
    this.owner = parts.owner;
    this.outq = parts.outq;
    this.backlog = parts.backlog;
    this.#deadline = setTimeout(() => parts.died("never-listened"), parts.patience.first);
  }

  start(): void {
    this.#parts.intake.start();
    this.#parts.outbound.start();
  }

  /** Looks again whether this Zeek, which is connected, listens to the p2p topic. */
  look(zeek: Zeek): void {
    const listens = zeek.link.wants(this.topic);
    if (listens && zeek !== this.#zeek) this.#attach(zeek);
    else if (!listens && zeek === this.#zeek) this.lost(zeek);
  }

  /** This Zeek is gone, or does not listen any more. */
  lost(zeek: Zeek): void {
    if (zeek !== this.#zeek) return;
    this.#zeek = undefined;
    this.#parts.outbound.detach();
    this.#deadline = setTimeout(() => this.#parts.died("disconnected"), this.#parts.patience.later);
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
    this.#parts.outbound.attach(zeek);
  }
}
