import { ClientError } from "./errors.ts";
import type { Link } from "./link.ts";
import { Management } from "./management.ts";
import type { Settings } from "./options.ts";
import { APP_TOPICS } from "./protocol/frames.ts";
import type { Outgoing, Publishable, PublishableMany } from "./publishable.ts";
import { isMany, unvalidated, validated } from "./publishable.ts";
import type { PublisherStats } from "./publisher.ts";
import { Publisher } from "./publisher.ts";
import { Receipts } from "./receipts.ts";
import { silentLink } from "./silent-link.ts";
import type { SnapshotHandler, SnapshotStats } from "./snapshots.ts";
import { SnapshotAnswerer } from "./snapshots.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import type { SubscriptionContext } from "./subscription.ts";
import { Subscription } from "./subscription.ts";
import { abortable } from "./waiting.ts";

export interface PublishOptions {
  /** false: the objects are sent as they are, and only the bus validates them; default true. */
  readonly validate?: boolean;
  /** Ends the wait for the bus or for room. Objects sent before stay sent. */
  readonly signal?: AbortSignal;
}

export interface ClientStats extends PublisherStats {
  readonly snapshots: SnapshotStats;
}

/** Objects that are published again at most when a connection breaks before the bus has confirmed them. */
const RECEIPT_WINDOW = 1_000;

/** One app's side of the bus. Made by connect(). */
export class Client implements AsyncDisposable {
  readonly #settings: Settings;
  readonly #management: Management;
  readonly #publisher: Publisher;
  readonly #receipts: Receipts;
  readonly #answerer: SnapshotAnswerer;
  readonly #subscriptions = new Set<Subscription>();
  /** Aborted when close() begins, and when its time is over. */
  readonly #closed = new AbortController();
  readonly #ended = new AbortController();
  readonly #context: SubscriptionContext;
  /** The subscription of a client that has no other, but publishes or answers: it brings the ports and the snapshot requests. */
  #silent: Link | undefined;
  #needsBus = false;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings) {
    const { timeouts, logger, maxMessageBytes } = settings;
    this.#settings = settings;
    this.#management = new Management(settings.manage);
    this.#publisher = new Publisher(Math.min(timeouts.close, 1_000), logger);
    const send = (envelope: Buffer, signal: AbortSignal) =>
      this.#publisher.send(APP_TOPICS.snapshotEnvelope, envelope, signal);
    this.#answerer = new SnapshotAnswerer({ logger, maxMessageBytes, send });
    this.#context = {
      management: this.#management,
      host: settings.manage.host,
      timeouts,
      logger,
      maxMessageBytes,
      ended: this.#ended.signal,
      onBusAddress: (address) => this.#publisher.useAddress(address),
      onSnapshotRequest: (request) => this.#answerer.accept(request),
      onLive: () => this.#closeSilent(),
      onClosed: (subscription) => {
        this.#subscriptions.delete(subscription);
        this.#ensureLink();
      },
    };
    const { name } = settings;
    this.#receipts = new Receipts({ publisher: this.#publisher, context: this.#context, name, logger });
    settings.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (settings.signal?.aborted) this.#onAbort();
  }

  get stats(): ClientStats {
    return { ...this.#publisher.stats, snapshots: this.#answerer.stats };
  }

  /**
   * Subscribes to one topic prefix or several ("stix2/indicator", "stix2/sighting", "stix2" for both). Returns at once and
   * connects in the background, for as long as it takes or `timeouts.connect` says; `ready()` waits for that.
   * @throws ClientError INVALID_OPTIONS, CLIENT_CLOSED
   */
  subscribe(topics: string | readonly string[], options: SubscribeOptions = {}): Subscription {
    this.#throwIfClosed();
    const name = options.name ?? this.#settings.name;
    const named = name === undefined ? options : { ...options, name };
    const subscription = new Subscription(topics, named, this.#context);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /**
   * Publishes one object or many. Resolves with their number when all were written to the connection; waits for the bus to be
   * there and to take them. Objects are sent in the order of the calls; an iterable takes its turn object by object.
   * @throws ClientError INVALID_OBJECT (those before it in an iterable were sent), CLIENT_CLOSED, BUS_UNREACHABLE; the signal's reason
   */
  async publish(input: Publishable | PublishableMany, options: PublishOptions = {}): Promise<number> {
    this.#throwIfClosed();
    options.signal?.throwIfAborted();
    if (!isMany(input)) {
      const sending = this.#send(input, options, undefined);
      if (sending !== undefined) await sending;
      return 1;
    }
    return Symbol.iterator in input ? this.#publishAll(input, options) : this.#publishFrom(input, options);
  }

  /**
   * Publishes and resolves when the bus has accepted all objects, as safely as it promises (its durable log). Where a
   * connection breaks before, they are published again: each arrives at least once, in order. Calls at the same time are
   * not ordered among each other. What the bus refuses (an object that is valid here, and larger than its
   * `max_message_bytes`) is counted there and not told. With an old server, which gives no receipts, it resolves when the
   * kernel has them.
   * @throws ClientError INVALID_OBJECT (none of them was sent), CLIENT_CLOSED, and where the bus is not reached or refuses the
   * subscription for receipts BUS_UNREACHABLE, BAD_REPLY, REQUEST_REFUSED; the signal's reason
   */
  async publishAccepted(objects: readonly Publishable[], options: PublishOptions = {}): Promise<number> {
    this.#throwIfClosed();
    const signals = [this.#closed.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    signal.throwIfAborted();
    const outgoing = objects.map((input, index) => this.#prepare(input, options, index));
    for (let next = 0; next < outgoing.length; next += RECEIPT_WINDOW) {
      const part = outgoing.slice(next, next + RECEIPT_WINDOW);
      await this.#receipts.ensure(async (epoch) => {
        for (const { type, bytes } of part) await this.#publisher.send(APP_TOPICS[type], bytes, signal, epoch);
      }, signal);
    }
    return outgoing.length;
  }

  /** Resolves when everything published so far was handed to the kernel: that the bus got it, only publishAccepted knows. */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#publisher.flush(signal);
  }

  /** Answers the snapshot requests of other apps from now on; a later call replaces the handler, undefined ends answering. */
  onSnapshotRequest(handler: SnapshotHandler | undefined): void {
    this.#throwIfClosed();
    this.#answerer.handler = handler;
    if (handler !== undefined) this.#needBus();
  }

  /**
   * Writes what was published, unsubscribes and ends all connections, within `timeouts.close`. Loops over subscriptions end;
   * publish() calls that still wait then reject with CLIENT_CLOSED. Never rejects, and may be called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #onAbort = (): void => {
    void this.close();
  };

  async #publishAll(input: Iterable<Publishable>, options: PublishOptions): Promise<number> {
    let count = 0;
    for (const item of input) {
      this.#throwIfClosed();
      options.signal?.throwIfAborted();
      const sending = this.#send(item, options, count);
      if (sending !== undefined) await sending;
      count += 1;
    }
    return count;
  }

  /** Like #publishAll; a source that gives nothing does not outlive the client. */
  async #publishFrom(input: AsyncIterable<Publishable>, options: PublishOptions): Promise<number> {
    const closed = this.#closed.signal;
    const signal = options.signal === undefined ? closed : AbortSignal.any([options.signal, closed]);
    const source = input[Symbol.asyncIterator]();
    let count = 0;
    let exhausted = false;
    try {
      for (;;) {
        const step = await abortable(Promise.resolve(source.next()), signal);
        exhausted = step.done === true;
        if (step.done === true) return count;
        const sending = this.#send(step.value, options, count);
        if (sending !== undefined) await sending;
        count += 1;
      }
    } finally {
      // Not awaited: a generator that waits for its own input returns only when that comes.
      if (!exhausted) source.return?.()?.catch((error: unknown) => this.#reportSource(error));
    }
  }

  #reportSource(error: unknown): void {
    this.#settings.logger.warn({ err: error }, "the source of published objects failed while it was ended");
  }

  #send(input: Publishable, options: PublishOptions, index: number | undefined): Promise<void> | undefined {
    const { type, bytes } = this.#prepare(input, options, index);
    this.#needBus();
    return this.#publisher.send(APP_TOPICS[type], bytes, options.signal);
  }

  #prepare(input: Publishable, options: PublishOptions, index: number | undefined): Outgoing {
    const limits = { maxBytes: this.#settings.maxMessageBytes };
    return options.validate === false ? unvalidated(input) : validated(input, limits, index);
  }

  #needBus(): void {
    this.#needsBus = true;
    this.#ensureLink();
  }

  #ensureLink(): void {
    if (!this.#needsBus || this.#subscriptions.size > 0 || this.#silent || this.#closed.signal.aborted) return;
    const { onSnapshotRequest } = this.#context;
    const link = silentLink(this.#context, this.#settings.name, onSnapshotRequest);
    this.#silent = link;
    link.run().catch((error: unknown) => {
      this.#settings.logger.error({ err: error }, "the bus cannot be used");
      if (this.#silent === link) this.#silent = undefined;
      // A later publish() tries again.
      this.#publisher.rejectWaiting(error);
    });
  }

  /** A subscription is live: what the silent one did, that one does. */
  #closeSilent(): void {
    const silent = this.#silent;
    this.#silent = undefined;
    void silent?.close();
  }

  #throwIfClosed(): void {
    if (this.#closed.signal.aborted) throw new ClientError("CLIENT_CLOSED", "the client is closed");
  }

  async #close(): Promise<void> {
    const { signal, timeouts, logger } = this.#settings;
    signal?.removeEventListener("abort", this.#onAbort);
    this.#closed.abort(new ClientError("CLIENT_CLOSED", "the client was closed"));
    this.#answerer.close();
    const overdue = new ClientError("CLIENT_CLOSED", "closing took longer than timeouts.close");
    const timer = setTimeout(() => this.#ended.abort(overdue), timeouts.close);
    // The subscriptions last until then: it is they who know where the bus listens.
    await this.#publisher.flush(this.#ended.signal).catch((error: unknown) => {
      logger.warn({ err: error }, "closing before everything published was written");
    });
    await Promise.all([...this.#subscriptions, this.#silent, this.#receipts].map((open) => open?.close()));
    await this.#publisher.close();
    await this.#management.close();
    clearTimeout(timer);
  }
}
