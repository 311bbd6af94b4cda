import type { Message } from "../contracts/message.ts";
import type { Source } from "../contracts/queues.ts";
import { RecentIds } from "./recent-ids.ts";

/** Enters what a backbone has brought into the log. */
export type EnterArrived = (backbone: string, messages: readonly Message[]) => Promise<void>;

/** Hears of messages that were left out, as they had come before. */
export type Repeated = (backbone: string, count: number) => void;

/**
 * Lets each message in once that backbones bring to this process, whichever of them brings it first (architecture: promise
 * 5). One is known when it is as safe as the log promises, and not before: until then no broker may forget it.
 */
export class Arrivals {
  readonly #enter: EnterArrived;
  readonly #repeated: Repeated;
  readonly #ids: RecentIds;

  constructor(enter: EnterArrived, repeated: Repeated, ids = new RecentIds()) {
    this.#enter = enter;
    this.#repeated = repeated;
    this.#ids = ids;
  }

  /** @returns those that are to be delivered */
  async accept(backbone: string, messages: readonly Message[]): Promise<readonly Message[]> {
    const unknown = messages.filter(({ id }) => !this.#ids.has(id));
    if (unknown.length > 0) await this.#enter(backbone, unknown);
    // Another backbone may have brought some meanwhile.
    const fresh = unknown.filter(({ id }) => this.#ids.add(id));
    if (fresh.length < messages.length) this.#repeated(backbone, messages.length - fresh.length);
    return fresh;
  }

  /** What a backbone inside this process takes from the inq, beside others: without what they have brought already. */
  from(backbone: string, inner: Source<Message>): Source<Message> {
    return new ArrivingSource(inner, (messages) => this.accept(backbone, messages));
  }
}

class ArrivingSource implements Source<Message> {
  readonly #inner: Source<Message>;
  readonly #accept: (messages: readonly Message[]) => Promise<readonly Message[]>;
  /** Handed out, and not answered for. */
  #taken = 0;
  /** Left out: they are answered for with those before them. */
  #leftOut = 0;

  constructor(inner: Source<Message>, accept: (messages: readonly Message[]) => Promise<readonly Message[]>) {
    this.#inner = inner;
    this.#accept = accept;
  }

  async get(signal?: AbortSignal): Promise<Message> {
    for (;;) {
      const [message] = await this.getMany(1, signal);
      if (message !== undefined) return message;
    }
  }

  async getMany(max: number, signal?: AbortSignal): Promise<Message[]> {
    for (;;) {
      const messages = await this.#inner.getMany(max, signal);
      const fresh = await this.#accept(messages);
      this.#taken += fresh.length;
      this.#leftOut += messages.length - fresh.length;
      if (this.#taken === 0) this.#answer();
      if (fresh.length > 0) return [...fresh];
    }
  }

  taskDone(count = 1): void {
    this.#taken -= count;
    this.#inner.taskDone(count);
    if (this.#taken === 0) this.#answer();
  }

  #answer(): void {
    if (this.#leftOut > 0) this.#inner.taskDone(this.#leftOut);
    this.#leftOut = 0;
  }
}
