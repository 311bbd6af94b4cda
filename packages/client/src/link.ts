import type { Address, SocketEvent } from "@threatbus/zmtp";
import { ClientError } from "./errors.ts";
import { Feed } from "./feed.ts";
import type { ClientLogger } from "./logger.ts";
import type { Management } from "./management.ts";
import type { Timeouts } from "./options.ts";
import type { SubscribeReply } from "./protocol/replies.ts";
import type { SubscribeRequest } from "./protocol/requests.ts";
import { Alarm, abortable, backoff } from "./waiting.ts";

/** "live": the bus holds the subscription and the connection for its messages stands. */
export type LinkState = "connecting" | "live" | "resubscribing" | "closed";

/** Messages may be missing between two moments. */
export interface Gap {
  /** Last moment at which nothing was wrong. */
  readonly since: Date;
  /** When messages began to come again. */
  readonly until: Date;
  /** "resubscribed": the bus had forgotten the subscription (a restart); "connection-lost": it kept it, but what was under way is gone. */
  readonly reason: "resubscribed" | "connection-lost";
  /** The snapshot asked for with the new subscription, in seconds. */
  readonly snapshotSeconds?: number;
}

/** What a link needs from its client. */
export interface LinkContext {
  readonly management: Management;
  readonly host: string;
  readonly timeouts: Timeouts;
  readonly logger: ClientLogger;
  readonly maxMessageBytes: number;
  /** Aborted when the client's time to close is over: nothing may wait any longer. */
  readonly ended: AbortSignal;
  /** The bus told where it listens for messages. */
  readonly onBusAddress: (address: Address) => void;
}

/** What a link tells its owner. */
export interface LinkHandlers {
  /** The request of the first subscription, or of one after a gap that has lasted since `lostSince`. */
  readonly request: (lostSince: Date | undefined) => {
    readonly body: SubscribeRequest;
    readonly snapshotSeconds: number;
  };
  /** One message from the bus; while the promise is pending no further one is read. */
  readonly onFrames: (frames: readonly Buffer[], p2pTopic: string) => Promise<unknown> | undefined;
  readonly onState: (state: LinkState) => void;
  readonly onGap: (gap: Gap) => void;
}

/** Milliseconds that close() waits for the reply to a subscribe request under way, so that the subscription just made can be ended. */
const REPLY_GRACE = 500;

/**
 * One subscription on the bus, kept up: subscribes, heartbeats, and subscribes again when the bus has forgotten it.
 * While the bus cannot be reached the subscription is not given up: if the bus still knows it afterwards, its queue there is kept.
 */
export class Link {
  readonly #context: LinkContext;
  readonly #handlers: LinkHandlers;
  readonly #stop = new AbortController();
  /** Ends a subscribe request that close() has waited for long enough. */
  readonly #giveUp = new AbortController();
  readonly #alarm = new Alarm();
  #state: LinkState = "connecting";
  #feed: Feed | undefined;
  #p2pTopic: string | undefined;
  #connected = false;
  /** Whether the last heartbeat or subscription got through. */
  #reachable = false;
  #lastGood = new Date();
  #pendingGap: { readonly since: Date; readonly reason: Gap["reason"]; readonly snapshotSeconds: number } | undefined;
  #finished: Promise<void> | undefined;

  constructor(context: LinkContext, handlers: LinkHandlers) {
    this.#context = context;
    this.#handlers = handlers;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Runs until close(). @throws ClientError where the first subscription fails for good */
  run(): Promise<void> {
    this.#finished ??= this.#run();
    return this.#finished;
  }

  /** Unsubscribes, where the bus can be reached, and ends run(). Never rejects. */
  async close(): Promise<void> {
    this.#stop.abort(new ClientError("CLIENT_CLOSED", "the subscription was closed"));
    const timer = setTimeout(() => this.#giveUp.abort(), REPLY_GRACE);
    await this.#finished?.catch(() => {});
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      for (let lostSince: Date | undefined; ; lostSince = this.#lastGood) {
        await this.#subscribe(lostSince);
        await this.#heartbeats();
        this.#setState("resubscribing");
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await this.#finish();
    }
  }

  async #subscribe(lostSince: Date | undefined): Promise<void> {
    const { body, snapshotSeconds } = this.#handlers.request(lostSince);
    const reply = await this.#requestUntilDone(body, lostSince === undefined);
    this.#p2pTopic = reply.topic;
    this.#reachable = true;
    this.#connected = false;
    this.#stop.signal.throwIfAborted();
    if (lostSince !== undefined) this.#pendingGap = { since: lostSince, reason: "resubscribed", snapshotSeconds };
    this.#context.onBusAddress({ host: this.#context.host, port: reply.sub_port });
    const previous = this.#feed;
    previous?.retire();
    const address = { host: this.#context.host, port: reply.pub_port };
    this.#feed = new Feed(address, reply.topic, {
      maxMessageBytes: this.#context.maxMessageBytes,
      after: previous?.done ?? Promise.resolve(),
      onFrames: this.#handlers.onFrames,
      onEvent: (event) => this.#onSocketEvent(event),
    });
  }

  /** A lost reply leaves a subscription on the bus that nobody listens to; the bus ends it after its subscribe_timeout. */
  async #requestUntilDone(body: SubscribeRequest, first: boolean): Promise<SubscribeReply> {
    const { timeouts, logger, management, ended } = this.#context;
    const signal = AbortSignal.any([ended, this.#giveUp.signal]);
    const giveUpAt = first && timeouts.connect !== undefined ? Date.now() + timeouts.connect : Number.POSITIVE_INFINITY;
    for (let attempt = 1; ; attempt += 1) {
      const timeout = Math.max(1, Math.min(timeouts.request, giveUpAt - Date.now()));
      try {
        return await management.subscribe(body, { timeout, signal });
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        const final = first && error instanceof ClientError && !error.retryable;
        const pause = backoff(attempt, timeouts.retryMin, timeouts.retryMax);
        if (final || Date.now() + pause >= giveUpAt) throw error;
        logger.warn({ err: error, attempt, retryInMs: Math.round(pause) }, "subscribing failed, will try again");
        await this.#alarm.wait(pause, this.#stop.signal);
      }
    }
  }

  /** Returns when the bus does not know the subscription any more. */
  async #heartbeats(): Promise<void> {
    const { timeouts, management, logger } = this.#context;
    const { signal } = this.#stop;
    const p2pTopic = this.#p2pTopic ?? "";
    for (let failures = 0; ; ) {
      const pause = backoff(failures, timeouts.retryMin, timeouts.retryMax);
      await this.#alarm.wait(failures === 0 ? timeouts.heartbeat : pause, signal);
      try {
        // Aborting the wait, not the request: the requests of other subscriptions share the connection.
        const beat = management.heartbeat(p2pTopic, { timeout: timeouts.request, signal: this.#context.ended });
        if (!(await abortable(beat, signal))) return;
        failures = 0;
        this.#reachable = true;
        this.#refreshState();
      } catch (error) {
        signal.throwIfAborted();
        failures += 1;
        this.#reachable = false;
        this.#refreshState();
        logger.warn({ err: error, failures }, "heartbeat failed, will try again");
      }
    }
  }

  #onSocketEvent(event: SocketEvent): void {
    if (this.#stop.signal.aborted) return;
    if (event.type === "connected") {
      this.#connected = true;
      this.#refreshState();
    } else if (event.type === "disconnected") {
      this.#connected = false;
      this.#pendingGap ??= { since: this.#lastGood, reason: "connection-lost", snapshotSeconds: 0 };
      this.#refreshState();
      // The bus may be gone: ask now instead of at the next beat.
      this.#alarm.ring();
    } else {
      this.#context.logger.debug({ event }, "event on the subscription's socket");
    }
  }

  #refreshState(): void {
    const live = this.#connected && this.#reachable;
    if (!live) {
      if (this.#state === "live") this.#setState("resubscribing");
      return;
    }
    this.#lastGood = new Date();
    this.#setState("live");
    const gap = this.#pendingGap;
    if (gap === undefined) return;
    this.#pendingGap = undefined;
    const { since, reason, snapshotSeconds } = gap;
    const extra = snapshotSeconds > 0 ? { snapshotSeconds } : {};
    this.#handlers.onGap({ since, until: new Date(), reason, ...extra });
  }

  #setState(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#handlers.onState(state);
  }

  async #finish(): Promise<void> {
    const { management, timeouts, logger, ended } = this.#context;
    const p2pTopic = this.#reachable ? this.#p2pTopic : undefined;
    try {
      if (p2pTopic !== undefined) await management.unsubscribe(p2pTopic, { timeout: timeouts.request, signal: ended });
    } catch (error) {
      logger.debug({ err: error }, "unsubscribing failed: the bus will end the subscription by itself");
    }
    await this.#feed?.close();
    this.#setState("closed");
  }
}
