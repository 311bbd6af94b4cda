/** A broker inside the process, with the faults of real ones. */
import type { Broker } from "../backbone/target.ts";
import type { WireMessage } from "./wire.ts";

/** The connection was lost before the broker had answered. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  constructor() {
    super("the connection to the broker was lost");
  }
}

/** What a backbone needs of a broker; see MemoryBroker, and `remote.ts` for one in another process. */
export interface BrokerLink {
  readonly isUp: boolean;
  /** Makes the queue of an instance, which then gets what everybody publishes. */
  bind(instance: string): Promise<void>;
  /** Resolves when the broker has confirmed all. Rejects with ConnectionLost: it may have some of them, or all. */
  publish(messages: readonly WireMessage[], signal: AbortSignal): Promise<void>;
  /** The next messages for an instance, at least one. They come again unless they are acknowledged. */
  next(instance: string, max: number, signal: AbortSignal): Promise<readonly WireMessage[]>;
  acknowledge(instance: string, count: number): Promise<void>;
}

/** What goes wrong, until it is set otherwise. */
export interface Faults {
  /** The broker takes what is published, delivers it, and does not confirm it. */
  holdConfirms: boolean;
  /** The broker takes and confirms what is published, and delivers nothing. */
  holdDeliveries: boolean;
  /** Everything is delivered twice. */
  redeliver: boolean;
  /** Messages of different instances are delivered in another order than they were published in. */
  reorder: boolean;
}

interface InstanceQueue {
  waiting: WireMessage[];
  /** Delivered and not acknowledged. */
  unacknowledged: WireMessage[];
}

/** Keeps a queue for each instance, through a kill too: what was not acknowledged is delivered again. */
export class MemoryBroker implements Broker, BrokerLink {
  readonly faults: Faults = { holdConfirms: false, holdDeliveries: false, redeliver: false, reorder: false };
  /** Message ids in the order in which they were published, as often as they were. */
  readonly published: string[] = [];
  readonly #queues = new Map<string, InstanceQueue>();
  #isUp = true;
  #changed = Promise.withResolvers<void>();
  /** Counts connections, so that whoever waits notices that his is another one. */
  #connection = 0;

  get isUp(): boolean {
    return this.#isUp;
  }

  async kill(): Promise<void> {
    this.#isUp = false;
    this.#connection += 1;
    for (const instance of this.#queues.keys()) this.release(instance);
    this.#change();
  }

  async restart(): Promise<void> {
    this.#isUp = true;
    this.#change();
  }

  /** Confirms what waits for it, and what comes. */
  releaseConfirms(): void {
    this.faults.holdConfirms = false;
    this.#change();
  }

  /** Delivers what waits for it, and what comes. */
  releaseDeliveries(): void {
    this.faults.holdDeliveries = false;
    this.#change();
  }

  /** The connection of an instance is over: what it has not acknowledged comes again. */
  release(instance: string): void {
    const queue = this.#queueOf(instance);
    queue.waiting = [...queue.unacknowledged, ...queue.waiting];
    queue.unacknowledged = [];
    this.#change();
  }

  /** Messages that wait for an instance, or for its acknowledgement. */
  left(instance: string): number {
    const { waiting, unacknowledged } = this.#queueOf(instance);
    return waiting.length + unacknowledged.length;
  }

  async bind(instance: string): Promise<void> {
    this.#queueOf(instance);
  }

  async publish(messages: readonly WireMessage[], signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#isUp, signal);
    const connection = this.#connection;
    for (const message of messages) this.published.push(message.id);
    for (const queue of this.#queues.values()) queue.waiting.push(...messages);
    this.#change();
    await this.#until(() => !this.faults.holdConfirms || connection !== this.#connection, signal);
    if (connection !== this.#connection) throw new ConnectionLost();
  }

  async next(instance: string, max: number, signal: AbortSignal): Promise<readonly WireMessage[]> {
    const queue = this.#queueOf(instance);
    await this.#until(() => this.#isUp && !this.faults.holdDeliveries && queue.waiting.length > 0, signal);
    if (this.faults.reorder) queue.waiting = interleaved(queue.waiting);
    const messages = queue.waiting.splice(0, max);
    queue.unacknowledged.push(...messages);
    return this.faults.redeliver ? [...messages, ...messages] : messages;
  }

  async acknowledge(instance: string, count: number): Promise<void> {
    this.#queueOf(instance).unacknowledged.splice(0, this.faults.redeliver ? Math.ceil(count / 2) : count);
  }

  #queueOf(instance: string): InstanceQueue {
    const queue = this.#queues.get(instance) ?? { waiting: [], unacknowledged: [] };
    this.#queues.set(instance, queue);
    return queue;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** What can go on at once does, also when the signal is aborted already. */
  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    if (condition()) return;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      while (!condition()) await Promise.race([this.#changed.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

/** Each instance's messages stay in their order; which instance comes first changes. */
function interleaved(messages: readonly WireMessage[]): WireMessage[] {
  const byPublisher = [...Map.groupBy(messages, ({ publisher }) => publisher).values()].toReversed();
  return byPublisher.flat();
}
