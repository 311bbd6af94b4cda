import type { Address, SocketEvent } from "@threatbus/zmtp";
import { ClientError } from "./errors.ts";
import type { ClientLogger } from "./logger.ts";
import { LossLog } from "./loss-log.ts";
import { Outlet } from "./outlet.ts";
import type { AppTopic } from "./protocol/frames.ts";
import { APP_TOPICS } from "./protocol/frames.ts";
import { abortable, Change } from "./waiting.ts";

const PREFIXES: Readonly<Record<AppTopic, Buffer>> = {
  [APP_TOPICS.indicator]: Buffer.from(`${APP_TOPICS.indicator} `),
  [APP_TOPICS.sighting]: Buffer.from(`${APP_TOPICS.sighting} `),
  [APP_TOPICS.snapshotEnvelope]: Buffer.from(`${APP_TOPICS.snapshotEnvelope} `),
  [APP_TOPICS.receipt]: Buffer.from(`${APP_TOPICS.receipt} `),
};

export interface PublisherStats {
  /** Messages written to the connection. */
  readonly published: number;
  /** Messages written that are known not to have left this process: their connection ended before. */
  readonly dropped: number;
}

/** Sends messages to the bus in the order in which they were given, waiting for the bus and for room. */
export class Publisher {
  readonly #linger: number;
  readonly #logger: ClientLogger;
  readonly #losses: LossLog;
  readonly #ended = new AbortController();
  /** Aborted, and replaced, when those who wait now wait in vain. */
  #hope = new AbortController();
  readonly #changed = new Change();
  #epoch = 0;
  #onEpoch: () => void = () => {};
  #outlet: Outlet | undefined;
  readonly #retiring = new Set<Promise<void>>();
  /** The last message in line; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #published = 0;

  constructor(linger: number, logger: ClientLogger) {
    this.#linger = linger;
    this.#logger = logger;
    this.#losses = new LossLog(logger, "published messages did not leave this process");
  }

  get stats(): PublisherStats {
    return { published: this.#published, dropped: this.#losses.total };
  }

  /** Another number means another connection: what went over the one before may be lost. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Hears that an epoch is over. */
  set onEpoch(hear: () => void) {
    this.#onEpoch = hear;
  }

  /** Messages given and not yet written. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Tells where the bus listens. A connection that stands there already is kept. */
  useAddress(address: Address): void {
    const old = this.#outlet;
    if (this.#ended.signal.aborted) return;
    if (old?.connected && old.address.host === address.host && old.address.port === address.port) return;
    const outlet: Outlet = new Outlet(address, this.#linger, (event) => this.#onEvent(event, outlet));
    this.#outlet = outlet;
    if (old !== undefined) {
      // One that has broken ended its epoch then, and nothing was written to it since.
      if (old.connected) this.#endEpoch();
      this.#closeOutlet(old);
    }
    this.#changed.announce();
  }

  /**
   * Resolves when written.
   * @param epoch the message is of use in this epoch only: when that is over it resolves, and nothing is written
   * @throws ClientError CLIENT_CLOSED, or the signal's reason (the message is then not sent)
   */
  send(topic: AppTopic, payload: Buffer, signal?: AbortSignal, epoch?: number): Promise<void> | undefined {
    if (this.#isOver(epoch)) return undefined;
    if (this.#waiting === 0 && this.#outlet?.sender(topic).send(PREFIXES[topic], payload) === "sent") {
      this.#count(topic);
      return undefined;
    }
    this.#waiting += 1;
    const signals = [this.#ended.signal, this.#hope.signal];
    const either = AbortSignal.any(signal === undefined ? signals : [signal, ...signals]);
    const turn = this.#tail.then(() => this.#write(topic, payload, either, epoch)).finally(() => (this.#waiting -= 1));
    this.#tail = turn.catch(() => {});
    return abortable(turn, either);
  }

  /** Rejects everything that waits: the bus cannot be reached. */
  rejectWaiting(error: unknown): void {
    this.#hope.abort(error);
    this.#hope = new AbortController();
  }

  /** Resolves when everything given so far was handed to the kernel. Rejects with the signal's reason. */
  async flush(signal?: AbortSignal): Promise<void> {
    await abortable(this.#tail, signal);
    await this.#outlet?.flushed(signal);
    await abortable(Promise.all(this.#retiring), signal);
  }

  /** Rejects what still waits, writes what was accepted for at most `linger` milliseconds, and ends. */
  async close(): Promise<void> {
    if (this.#waiting > 0) this.#logger.warn({ messages: this.#waiting }, "closed before these could be published");
    this.#ended.abort(new ClientError("CLIENT_CLOSED", "the client was closed before the message could be published"));
    if (this.#outlet !== undefined) this.#closeOutlet(this.#outlet);
    await Promise.all(this.#retiring);
  }

  async #write(topic: AppTopic, payload: Buffer, signal: AbortSignal, epoch: number | undefined): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#isOver(epoch)) return;
      const outlet = this.#outlet;
      if (outlet === undefined) {
        await this.#changed.next(signal);
        continue;
      }
      const sender = outlet.sender(topic);
      const result = sender.send(PREFIXES[topic], payload);
      if (result === "sent") {
        this.#count(topic);
        return;
      }
      const either = AbortSignal.any([signal, outlet.replaced]);
      try {
        await (result === "full" ? sender.writable(either) : outlet.subscribed(topic, either));
      } catch (error) {
        // The next round throws the signal's reason, or finds the connection that has replaced this one.
        if (!either.aborted) throw error;
      }
    }
  }

  #count(topic: AppTopic): void {
    if (topic !== APP_TOPICS.receipt) this.#published += 1;
  }

  #closeOutlet(outlet: Outlet): void {
    const closing = outlet
      .close()
      .catch((error: unknown) => this.#logger.warn({ err: error }, "closing a connection failed"))
      .finally(() => this.#retiring.delete(closing));
    this.#retiring.add(closing);
  }

  #isOver(epoch: number | undefined): boolean {
    return epoch !== undefined && epoch !== this.#epoch;
  }

  #endEpoch(): void {
    this.#epoch += 1;
    this.#onEpoch();
  }

  #onEvent(event: SocketEvent, outlet: Outlet): void {
    if (event.type === "disconnected" && outlet === this.#outlet) this.#endEpoch();
    if (event.type === "dropped") this.#losses.count(event.reason, { bus: event.peer.remote }, event.count);
    else this.#logger.debug({ event }, "event on the publishing socket");
  }
}
