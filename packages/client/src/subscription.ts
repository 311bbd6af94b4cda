import type { SnapshotRequest } from "@threatbus/stix";
import type { Duration } from "./duration.ts";
import { daysCovering, secondsOf } from "./duration.ts";
import { ClientError } from "./errors.ts";
import { Inbox } from "./inbox.ts";
import type { Gap, LinkContext, LinkState } from "./link.ts";
import { Link } from "./link.ts";
import { LossLog } from "./loss-log.ts";
import type { Message, Undecodable } from "./messages.ts";
import { decodeIncoming } from "./messages.ts";
import type { ContentFilter } from "./protocol/filter.ts";
import type { SubscribeRequest } from "./protocol/requests.ts";
import { subscribeRequestSchema } from "./protocol/requests.ts";
import { abortable } from "./waiting.ts";

export type SubscriptionState = LinkState;

/** What subscribe() takes besides the topics. Callbacks must not throw. */
export interface SubscribeOptions {
  /** History to begin with: seconds or "30d". The bus counts whole days, so it is rounded up to them. */
  readonly snapshot?: Duration;
  /** The bus passes on only what fits. Servers without content filters ignore it. */
  readonly filter?: ContentFilter;
  /** Shown in the logs and metrics of the bus. */
  readonly name?: string;
  /** After a restart of the bus: ask for history again; true for as much as the gap was long. */
  readonly snapshotOnResubscribe?: boolean | Duration;
  /** Messages kept for a loop that is busy; default 1,000. When they are there, nothing more is read from the bus. */
  readonly queueSize?: number;
  /** Aborting it closes the subscription. */
  readonly signal?: AbortSignal;
  readonly onStateChange?: (state: SubscriptionState) => void;
  /** Messages may be missing. Those that came before the gap may still be on their way to the loop. */
  readonly onGap?: (gap: Gap) => void;
  /** A message could not be read. */
  readonly onUndecodable?: (problem: Undecodable) => void;
}

export interface SubscriptionStats {
  /** Messages put into the loop's queue. */
  readonly received: number;
  /** Messages that could not be read. */
  readonly undecodable: number;
  readonly undecodableByReason: Readonly<Record<string, number>>;
  readonly gaps: number;
  /** Messages in the loop's queue when the subscription was closed. */
  readonly discarded: number;
}

/** What a subscription needs from its client. */
export interface SubscriptionContext extends LinkContext {
  readonly onSnapshotRequest: (request: SnapshotRequest) => void;
  /** Called once, when it has been closed. */
  readonly onClosed: (subscription: Subscription) => void;
  readonly onLive: () => void;
}

const DEFAULT_QUEUE_SIZE = 1_000;

/** Messages of one or more topics, as an async iterable. It may be iterated once; leaving the loop closes it. */
export class Subscription implements AsyncIterable<Message>, AsyncDisposable {
  readonly #context: SubscriptionContext;
  readonly #options: SubscribeOptions;
  readonly #request: SubscribeRequest;
  readonly #resubscribeSeconds: number | true;
  readonly #inbox: Inbox<Message>;
  readonly #link: Link;
  readonly #undecodable: LossLog;
  readonly #live = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;
  #received = 0;
  #gaps = 0;
  #discarded = 0;

  /** @throws ClientError INVALID_OPTIONS */
  constructor(topics: string | readonly string[], options: SubscribeOptions, context: SubscriptionContext) {
    this.#context = context;
    this.#options = options;
    this.#request = buildRequest(topics, options);
    const again = options.snapshotOnResubscribe ?? false;
    this.#resubscribeSeconds = typeof again === "boolean" ? again || 0 : secondsOf(again, "snapshotOnResubscribe");
    const queueSize = options.queueSize ?? DEFAULT_QUEUE_SIZE;
    if (!(queueSize >= 1)) throw new ClientError("INVALID_OPTIONS", `queueSize: must be at least 1, not ${queueSize}`);
    this.#inbox = new Inbox(queueSize);
    this.#undecodable = new LossLog(context.logger, "a message from the bus could not be read");
    this.#link = new Link(context, {
      request: (lostSince) => this.#nextRequest(lostSince),
      onFrames: (frames, p2pTopic) => this.#onFrames(frames, p2pTopic),
      onState: (state) => this.#onState(state),
      onGap: (gap) => this.#onGap(gap),
    });
    this.#live.promise.catch(() => {});
    this.#link.run().catch((error: unknown) => this.#fail(error));
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#onAbort();
  }

  get state(): SubscriptionState {
    return this.#link.state;
  }

  get stats(): SubscriptionStats {
    return {
      received: this.#received,
      undecodable: this.#undecodable.total,
      undecodableByReason: this.#undecodable.byReason,
      gaps: this.#gaps,
      discarded: this.#discarded,
    };
  }

  /** Resolves when the subscription is live for the first time. @throws ClientError where it was refused, timed out or was closed */
  ready(signal?: AbortSignal): Promise<void> {
    return abortable(this.#live.promise, signal);
  }

  /** Unsubscribes; a loop ends, and what is still in its queue is counted as discarded. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends when the subscription is closed. @throws ClientError where the first subscription failed */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return {
      next: async () => {
        const value = await this.#inbox.take();
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  readonly #onAbort = (): void => {
    void this.close();
  };

  async #close(): Promise<void> {
    this.#discarded = this.#inbox.close();
    this.#live.reject(new ClientError("CLIENT_CLOSED", "the subscription was closed before it was live"));
    await this.#link.close();
    this.#end();
  }

  #fail(error: unknown): void {
    this.#context.logger.error({ err: error }, "subscribing failed");
    this.#inbox.fail(error);
    this.#live.reject(error);
    this.#end();
  }

  #end(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#context.onClosed(this);
  }

  #nextRequest(lostSince: Date | undefined): { body: SubscribeRequest; snapshotSeconds: number } {
    if (lostSince === undefined) return { body: this.#request, snapshotSeconds: 0 };
    const lost = (Date.now() - lostSince.getTime()) / 1_000;
    const seconds = this.#resubscribeSeconds === true ? lost : this.#resubscribeSeconds;
    const { snapshot: _first, ...body } = this.#request;
    if (seconds <= 0) return { body, snapshotSeconds: 0 };
    return { body: { ...body, snapshot: daysCovering(seconds) }, snapshotSeconds: seconds };
  }

  #onFrames(frames: readonly Buffer[], p2pTopic: string): Promise<unknown> | undefined {
    const incoming = decodeIncoming(frames, p2pTopic, { maxBytes: this.#context.maxMessageBytes });
    switch (incoming.kind) {
      case "message": {
        const taken = this.#inbox.put(incoming.message);
        if (taken === false) return undefined;
        this.#received += 1;
        return taken === true ? undefined : taken;
      }
      case "snapshot-request":
        this.#context.onSnapshotRequest(incoming.request);
        return undefined;
      case "undecodable":
        this.#undecodable.count(incoming.problem.reason, incoming.problem);
        this.#options.onUndecodable?.(incoming.problem);
        return undefined;
    }
  }

  #onState(state: SubscriptionState): void {
    this.#context.logger.debug({ state, topics: this.#request.topic }, "subscription changed its state");
    if (state === "live") {
      this.#live.resolve();
      this.#context.onLive();
    }
    this.#options.onStateChange?.(state);
  }

  #onGap(gap: Gap): void {
    this.#gaps += 1;
    this.#context.logger.warn({ gap, topics: this.#request.topic }, "messages may be missing");
    this.#options.onGap?.(gap);
  }
}

function buildRequest(topics: string | readonly string[], options: SubscribeOptions): SubscribeRequest {
  const days = options.snapshot === undefined ? 0 : daysCovering(secondsOf(options.snapshot, "snapshot"));
  const parsed = subscribeRequestSchema.safeParse({
    action: "subscribe",
    topic: topics,
    ...(days > 0 ? { snapshot: days } : {}),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
  });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new ClientError("INVALID_OPTIONS", faults.join("; "));
}
