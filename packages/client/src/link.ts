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
  /** Last moment at which nothing was wrong; undefined: before this process. */
  readonly since: Date | undefined;
  /** When messages began to come again. */
  readonly until: Date;
  /**
   * "resubscribed": the bus had forgotten the subscription (a restart) and it could not be resumed; "connection-lost": the bus
   * kept it, but what was under way is gone. When it was to begin at a position or time of the durable log: "expired": the
   * bus has removed what lay behind the position; "other-log": the bus has another log now; "no-log": it has none.
   */
  readonly reason: "resubscribed" | "connection-lost" | "expired" | "other-log" | "no-log";
  /** "expired": positions that are gone. So many messages at most: of whatever topic, and the log leaves out positions after a crash. */
  readonly missed?: number;
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

export interface LinkRequest {
  readonly body: SubscribeRequest;
  readonly snapshotSeconds: number;
}

/** What the owner makes of a reply. */
export interface Joined {
  /** The subscription goes on exactly where it was: nothing is missing. */
  readonly resumed: boolean;
  readonly gap?: Pick<Gap, "reason" | "missed">;
  /** Called before the first message of the new subscription is handed over. */
  readonly begin: () => void;
}

/** What a link tells its owner. */
export interface LinkHandlers {
  /** The request of the first subscription, or of one after a gap that has lasted since `lostSince`; asked for each attempt. */
  readonly request: (lostSince: Date | undefined) => LinkRequest;
  /** The bus refused: true when the next request asks for something else. */
  readonly onRefused: (error: unknown) => boolean;
  readonly onJoined: (reply: SubscribeReply, request: SubscribeRequest) => Joined;
  /** Does the bus tell positions? Then a new subscription brings again what was under way when a connection broke. */
  readonly hasPositions: () => boolean;
  /** One message from the bus; while the promise is pending no further one is read. */
  readonly onFrames: (frames: readonly Buffer[], p2pTopic: string) => Promise<unknown> | undefined;
  readonly onState: (state: LinkState) => void;
  readonly onGap: (gap: Gap) => void;
}

/**
 * Milliseconds that close() waits for the reply to a subscribe request under way, so that the subscription just made can be
 * ended; and then for a bus that did not answer, or whose connection broke, to answer anything at all before it is asked to
 * end the one that it may still have.
 */
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
  /** Of the subscription that the bus has, as far as we know. */
  #p2pTopic: string | undefined;
  #connected = false;
  /** The bus had the subscription when it was asked last, after any break: a connection alone may lead to a bus that does not. */
  #reachable = false;
  #lastGood = new Date();
  #pendingGap: (Omit<Gap, "until" | "snapshotSeconds"> & { readonly snapshotSeconds: number }) | undefined;
  /** The connection broke: the subscription is to be made again. */
  #torn = false;
  /** Breaks of the connection: what was asked before one says nothing of the time after it. */
  #breaks = 0;
  /** How often in a row. */
  #tears = 0;
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
    if (this.#stop.signal.aborted) return Promise.resolve();
    this.#finished ??= this.#run();
    return this.#finished;
  }

  /** Unsubscribes, where the bus may have the subscription, and ends run(). Never rejects. */
  async close(): Promise<void> {
    this.#stop.abort(new ClientError("CLIENT_CLOSED", "the subscription was closed"));
    if (this.#finished === undefined) this.#setState("closed");
    // A turn later: the reply may have come while this process was held up.
    const timer = setTimeout(() => setImmediate(() => this.#giveUp.abort()), REPLY_GRACE);
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
    const left = this.#torn ? this.#p2pTopic : undefined;
    if (this.#tears > 1) await this.#pauseBetweenTears();
    const { request, reply } = await this.#requestUntilDone(lostSince);
    this.#p2pTopic = reply.topic;
    this.#reachable = true;
    this.#connected = false;
    this.#torn = false;
    if (left !== undefined) this.#unsubscribe(left);
    this.#stop.signal.throwIfAborted();
    const joined = this.#handlers.onJoined(reply, request.body);
    // Resumed, but where the one before began after a gap: that is still to be told.
    this.#pendingGap = gapOf(joined, lostSince, request.snapshotSeconds) ?? this.#pendingGap;
    this.#context.onBusAddress({ host: this.#context.host, port: reply.sub_port });
    const previous = this.#feed;
    if (joined.resumed) previous?.abandon();
    else previous?.retire();
    const address = { host: this.#context.host, port: reply.pub_port };
    this.#feed = new Feed(address, reply.topic, {
      maxMessageBytes: this.#context.maxMessageBytes,
      after: previous?.done ?? Promise.resolve(),
      onBegin: joined.begin,
      onFrames: this.#handlers.onFrames,
      onEvent: (event) => this.#onSocketEvent(event),
    });
  }

  /** A lost reply leaves a subscription on the bus that nobody listens to; the bus ends it after its subscribe_timeout. */
  async #requestUntilDone(lostSince: Date | undefined): Promise<{ request: LinkRequest; reply: SubscribeReply }> {
    const first = lostSince === undefined;
    const { timeouts, logger, management, ended } = this.#context;
    const signal = AbortSignal.any([ended, this.#giveUp.signal]);
    const giveUpAt = first && timeouts.connect !== undefined ? Date.now() + timeouts.connect : Number.POSITIVE_INFINITY;
    for (let attempt = 1; ; attempt += 1) {
      const timeout = Math.max(1, Math.min(timeouts.request, giveUpAt - Date.now()));
      const request = this.#handlers.request(lostSince);
      try {
        return { request, reply: await management.subscribe(request.body, { timeout, signal }) };
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        if (this.#handlers.onRefused(error)) continue;
        const final = first && error instanceof ClientError && !error.retryable;
        const pause = backoff(attempt, timeouts.retryMin, timeouts.retryMax);
        if (final || Date.now() + pause >= giveUpAt) throw error;
        logger.warn({ err: error, attempt, retryInMs: Math.round(pause) }, "subscribing failed, will try again");
        await this.#alarm.wait(pause, this.#stop.signal);
      }
    }
  }

  /** A connection that breaks again and again must not keep the bus busy with subscriptions. */
  async #pauseBetweenTears(): Promise<void> {
    const { retryMin, retryMax } = this.#context.timeouts;
    await this.#alarm.wait(backoff(this.#tears - 1, retryMin, retryMax), this.#stop.signal);
  }

  /** Ends a subscription that has a successor. Where that fails, the bus ends it after its `linger`. */
  #unsubscribe(p2pTopic: string): void {
    const { management, timeouts, logger, ended } = this.#context;
    management.unsubscribe(p2pTopic, { timeout: timeouts.request, signal: ended }).catch((error: unknown) => {
      logger.debug({ err: error }, "unsubscribing failed: the bus will end the subscription by itself");
    });
  }

  /** Returns when the bus does not know the subscription any more, or its connection has broken and it is to be resumed. */
  async #heartbeats(): Promise<void> {
    const { timeouts, management, logger } = this.#context;
    const { signal } = this.#stop;
    const p2pTopic = this.#p2pTopic ?? "";
    for (let failures = 0; ; ) {
      const pause = backoff(failures, timeouts.retryMin, timeouts.retryMax);
      await this.#alarm.wait(failures === 0 ? timeouts.heartbeat : pause, signal);
      if (this.#torn) return;
      try {
        // Aborting the wait, not the request: the requests of other subscriptions share the connection.
        const beat = management.heartbeat(p2pTopic, { timeout: timeouts.request, signal: this.#context.ended });
        const breaks = this.#breaks;
        const isKnown = await abortable(beat, signal);
        this.#reachable = isKnown && breaks === this.#breaks;
        if (!isKnown) {
          this.#p2pTopic = undefined;
          return;
        }
        failures = 0;
        if (this.#connected) this.#tears = 0;
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
      this.#breaks += 1;
      // It may connect to another bus, which does not have the subscription.
      this.#reachable = false;
      if (this.#handlers.hasPositions()) this.#tear();
      else this.#pendingGap ??= { since: this.#lastGood, reason: "connection-lost", snapshotSeconds: 0 };
      this.#refreshState();
      // The bus may be gone: ask now instead of at the next beat.
      this.#alarm.ring();
    } else {
      this.#context.logger.debug({ event }, "event on the subscription's socket");
    }
  }

  #tear(): void {
    this.#feed?.cut();
    this.#torn = true;
    this.#tears += 1;
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
    const { snapshotSeconds, ...rest } = gap;
    const extra = snapshotSeconds > 0 ? { snapshotSeconds } : {};
    this.#handlers.onGap({ ...rest, until: new Date(), ...extra });
  }

  #setState(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#handlers.onState(state);
  }

  async #finish(): Promise<void> {
    const { logger } = this.#context;
    const p2pTopic = this.#p2pTopic;
    try {
      if (p2pTopic !== undefined) await this.#leave(p2pTopic);
    } catch (error) {
      logger.debug({ err: error }, "unsubscribing failed: the bus will end the subscription by itself");
    }
    await this.#feed?.close();
    this.#setState("closed");
  }

  /** Given up when a bus that may be gone answers nothing, to nobody: requests go one after another, and it may be slow. */
  async #leave(p2pTopic: string): Promise<void> {
    const { management, timeouts, ended } = this.#context;
    const silence = new AbortController();
    let { answers } = management;
    const listen = (): void => {
      if (!this.#reachable && management.answers === answers) silence.abort(new Error("the bus is silent"));
      ({ answers } = management);
    };
    const watch = setInterval(() => setImmediate(listen), REPLY_GRACE);
    try {
      const signal = AbortSignal.any([ended, silence.signal]);
      await management.unsubscribe(p2pTopic, { timeout: timeouts.request, signal });
    } finally {
      clearInterval(watch);
    }
  }
}

/** What is missing between the subscription before and a new one, if anything is. */
function gapOf({ gap, resumed }: Joined, since: Date | undefined, snapshotSeconds: number) {
  if (gap !== undefined) return { since, ...gap, snapshotSeconds };
  if (since === undefined || resumed) return undefined;
  return { since, reason: "resubscribed", snapshotSeconds } as const;
}
