import { type Outq, type SnapshotRequestMessage, TOPICS } from "@threatbus/core";
import type { TopicSender } from "@threatbus/zmtp";
import type { Attachable } from "./attachments.ts";
import type { Liveness } from "./liveness.ts";
import type { Outbound } from "./outbound.ts";

export interface SubscriptionParts {
  /** The p2p topic. */
  readonly topic: string;
  /** For logs and metrics: it does not give the p2p topic away, which is all that an app needs to act for it. */
  readonly name: string;
  /** What the app subscribed to. */
  readonly topics: readonly string[];
  readonly outq: Outq;
  readonly sender: TopicSender;
  readonly outbound: Outbound;
  readonly liveness: Liveness;
  /** Identifies the durable log. */
  readonly logId: string | undefined;
  /** The app is told of its positions. */
  readonly positions: boolean;
}

/** Where in which durable log a subscription began; nothing without a log. */
export interface Start {
  readonly position?: number;
  readonly log?: string;
}

/** One app's subscription: its queue, the worker that sends it, and what is known of the app. */
export class Subscription implements Attachable {
  readonly topic: string;
  readonly name: string;
  readonly outq: Outq;
  readonly outbound: Outbound;
  readonly liveness: Liveness;
  readonly start: Start;
  readonly #positions: boolean;
  readonly #sender: TopicSender;
  /** Snapshot requests reach it through its own topics. */
  readonly #hearsRequests: boolean;
  #snapshotId: string | undefined;

  constructor(parts: SubscriptionParts) {
    this.topic = parts.topic;
    this.name = parts.name;
    this.outq = parts.outq;
    this.outbound = parts.outbound;
    this.liveness = parts.liveness;
    const { start } = parts.outq;
    this.start = start === undefined || parts.logId === undefined ? {} : { position: start, log: parts.logId };
    this.#positions = parts.positions;
    this.#sender = parts.sender;
    this.#hearsRequests = parts.topics.some((topic) => TOPICS.snapshotrequest.startsWith(topic));
  }

  /** The position from which its app can get what was not delivered: it knows positions, and the queue lives on the log. */
  get resumePosition(): number | undefined {
    return this.#positions && this.outq.overflow === "log" ? this.outq.handedTo : undefined;
  }

  /** The snapshot that the app has asked for. */
  set snapshotId(id: string | undefined) {
    this.#snapshotId = id;
    this.outbound.ownSnapshot = id;
  }

  attached(): void {
    this.liveness.attached();
    this.outbound.open();
  }

  detached(): void {
    this.outbound.hold();
    this.liveness.detached();
  }

  /** Passes a snapshot request on to the app, unless it has asked itself or gets the request from the bus anyway. */
  forward(request: SnapshotRequestMessage): void {
    if (this.#hearsRequests || request.request.snapshotId === this.#snapshotId) return;
    this.outq.offer(request);
  }

  /** Stops sending. Messages that were not sent stay in the outq, apart from `outbound.unsent`. */
  async stop(): Promise<void> {
    this.liveness.end();
    this.outbound.stop();
    await this.outbound.join();
    this.#sender.close();
  }
}
