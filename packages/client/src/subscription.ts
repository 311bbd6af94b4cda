import type { SnapshotRequest } from "@threatbus/stix";
import { daysCovering, SECONDS_PER_DAY, secondsOf } from "./duration.ts";
import { ClientError } from "./errors.ts";
import { Inbox } from "./inbox.ts";
import type { Gap, LinkContext, LinkRequest, LinkState } from "./link.ts";
import { Link } from "./link.ts";
import { LossLog } from "./loss-log.ts";
import type { Message } from "./messages.ts";
import { decodeIncoming } from "./messages.ts";
import type { RememberedPosition } from "./position-store.ts";
import { Progress } from "./progress.ts";
import type { SubscribeRequest } from "./protocol/requests.ts";
import { buildRequest, type SubscribeOptions } from "./subscribe-options.ts";
import { abortable } from "./waiting.ts";

export type SubscriptionState = LinkState;

export interface SubscriptionStats {
  /** Messages put into the loop's queue. */
  readonly received: number;
  /** Messages that could not be read. */
  readonly undecodable: number;
  readonly undecodableByReason: Readonly<Record<string, number>>;
  readonly gaps: number;
  /** Messages in the loop's queue when the subscription was closed. */
  readonly discarded: number;
  /** The position that the loop has reached; undefined while none is known. */
  readonly position: number | undefined;
  /** Positions that could not be saved. */
  readonly positionsNotSaved: number;
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
  readonly #progress: Progress;
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
    this.#progress = new Progress(options, context.logger);
    this.#request = buildRequest(topics, options, this.#progress.from);
    const again = options.snapshotOnResubscribe ?? false;
    this.#resubscribeSeconds = typeof again === "boolean" ? again || 0 : secondsOf(again, "snapshotOnResubscribe");
    const queueSize = options.queueSize ?? DEFAULT_QUEUE_SIZE;
    if (!(queueSize >= 1)) throw new ClientError("INVALID_OPTIONS", `queueSize: must be at least 1, not ${queueSize}`);
    this.#inbox = new Inbox(queueSize);
    this.#undecodable = new LossLog(context.logger, "a message from the bus could not be read");
    this.#link = new Link(context, {
      request: (lostSince) => this.#nextRequest(lostSince),
      onRefused: (error) => this.#progress.forgetsLog(error),
      onJoined: (reply, request) => this.#progress.join(reply, request, (position) => this.#mark(position)),
      hasPositions: () => this.#progress.hasPositions,
      onFrames: (frames, p2pTopic) => this.#onFrames(frames, p2pTopic),
      onState: (state) => this.#onState(state),
      onGap: (gap) => this.#onGap(gap),
    });
    this.#live.promise.catch(() => {});
    this.#run().catch((error: unknown) => {
      if (this.#closing === undefined) this.#fail(error);
    });
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#onAbort();
  }

  get state(): SubscriptionState {
    return this.#link.state;
  }

  /**
   * The position in the durable log that the loop has reached: it has taken everything before it and come back for more.
   * undefined: none is known yet, or the bus tells none.
   */
  get position(): RememberedPosition | undefined {
    return this.#progress.reached;
  }

  /** Whether the bus tells positions, so that the subscription can be resumed; known when it is live. */
  get resumable(): boolean {
    return this.#progress.hasPositions;
  }

  get stats(): SubscriptionStats {
    return {
      received: this.#received,
      undecodable: this.#undecodable.total,
      undecodableByReason: this.#undecodable.byReason,
      gaps: this.#gaps,
      discarded: this.#discarded,
      position: this.#progress.reached?.position,
      positionsNotSaved: this.#progress.saveFailures,
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
        if (value !== undefined) return { done: false, value };
        await this.#savePosition();
        return { done: true, value };
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
    await Promise.all([this.#link.close(), this.#savePosition()]);
    this.#end();
  }

  async #run(): Promise<void> {
    if (this.#progress.stored) await this.#progress.load();
    await this.#link.run();
  }

  /** A store that hangs does not keep the app from closing. */
  async #savePosition(): Promise<void> {
    const { timeouts, ended, logger } = this.#context;
    const overdue = AbortSignal.any([ended, AbortSignal.timeout(timeouts.close)]);
    await abortable(this.#progress.flush(), overdue).catch((error: unknown) => {
      logger.warn({ err: error }, "closing before the position was saved");
    });
  }

  #fail(error: unknown): void {
    this.#context.logger.error({ err: error }, "subscribing failed");
    this.#inbox.fail(error);
    this.#live.reject(error);
    void this.#link.close();
    this.#end();
  }

  #end(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#context.onClosed(this);
  }

  #nextRequest(lostSince: Date | undefined): LinkRequest {
    const { snapshot: days = 0, from: _start, ...body } = this.#request;
    const { resumeAt, hasPositions } = this.#progress;
    if (resumeAt !== undefined) {
      return { body: { ...body, from: resumeAt.position, log: resumeAt.log }, snapshotSeconds: 0 };
    }
    if (lostSince === undefined) return { body: this.#request, snapshotSeconds: 0 };
    // Its snapshot was not complete: only all of it again brings all of it.
    if (hasPositions) return { body: this.#request, snapshotSeconds: days * SECONDS_PER_DAY };
    const lost = (Date.now() - lostSince.getTime()) / 1_000;
    const seconds = this.#resubscribeSeconds === true ? lost : this.#resubscribeSeconds;
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
      case "position":
        this.#mark(incoming.position);
        return undefined;
      case "undecodable":
        this.#undecodable.count(incoming.problem.reason, incoming.problem);
        this.#options.onUndecodable?.(incoming.problem);
        return undefined;
    }
  }

  #mark(position: number): void {
    const reached = this.#progress.bring(position);
    if (reached !== undefined) this.#inbox.mark(reached);
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
