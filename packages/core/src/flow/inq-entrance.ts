import type { DurableLog } from "../contracts/log.ts";
import type { Message } from "../contracts/message.ts";
import type { JoinableQueue } from "./joinable-queue.ts";
import type { LogWriter } from "./log-writer.ts";
import { messageBytes } from "./message-bytes.ts";
import { Waiters } from "./waiters.ts";

/** The log that messages enter on their way into the inq. */
export interface EntranceLog {
  readonly log: DurableLog;
  readonly writer: LogWriter;
}

/** Hears of messages that are in the inq. */
export type Accepted = (message: Message) => void;

/** Is a message still to be put, now that nothing else can come before it? */
export type Wanted = (message: Message) => boolean;

/**
 * The way into the inq. With a durable log a message enters the log first, in the very order of the inq: so positions
 * follow the order of delivery, and what was accepted is safe although no backbone has seen it yet.
 */
export class InqEntrance {
  readonly #inq: JoinableQueue<Message>;
  readonly #observe: (messages: readonly Message[]) => void;
  #log: EntranceLog | undefined;
  /** Somebody is between the log and the inq. */
  #busy = false;
  readonly #turns = new Waiters();

  /** @param observe hears of messages when they are in the inq */
  constructor(inq: JoinableQueue<Message>, observe: (messages: readonly Message[]) => void = () => undefined) {
    this.#inq = inq;
    this.#observe = observe;
  }

  /** From now on messages enter this log; before the first message. */
  use(log: EntranceLog): void {
    this.#log = log;
  }

  /** Resolves when all are accepted: in the inq, and as safe as the log promises. Rejects like JoinableQueue.put. */
  async putMany(
    messages: readonly Message[],
    accepted: Accepted,
    signal?: AbortSignal,
    wanted?: Wanted,
  ): Promise<void> {
    if (this.#log === undefined) await this.#putAll(wanted ? messages.filter(wanted) : messages, accepted, signal);
    else await this.#enter(messages, this.#log, accepted, signal, wanted);
  }

  async #putAll(messages: readonly Message[], accepted: Accepted, signal?: AbortSignal): Promise<void> {
    let count = 0;
    try {
      for (const message of messages) {
        if (!this.#inq.tryPut(message)) await this.#inq.put(message, signal);
        accepted(message);
        count += 1;
      }
    } finally {
      this.#observe(count === messages.length ? messages : messages.slice(0, count));
    }
  }

  async #enter(
    all: readonly Message[],
    { log, writer }: EntranceLog,
    accepted: Accepted,
    signal?: AbortSignal,
    wanted?: Wanted,
  ): Promise<void> {
    let last = 0;
    await this.#takeTurn(signal);
    try {
      const messages = wanted ? all.filter(wanted) : all;
      for (let next = 0; next < messages.length; ) {
        const part = messages.slice(next, next + (await this.#room(messages, next, signal)));
        last = Math.max(last, (await writer.enter(part)).last);
        // There is room for them: nobody else puts, and only their reader takes.
        await this.#putAll(part, accepted);
        next += part.length;
      }
    } finally {
      this.#endTurn();
    }
    if (last > 0) await log.settled(last);
  }

  /** How many messages from `next` on have room now, at least one: waits for that. */
  async #room(messages: readonly Message[], next: number, signal?: AbortSignal): Promise<number> {
    const { capacity, limit } = this.#inq;
    for (;;) {
      let count = 0;
      let weight = this.#inq.weight;
      const most = Math.min(capacity - this.#inq.size, messages.length - next);
      for (; count < most; count += 1) {
        const message = messages[next + count];
        weight += message === undefined ? 0 : messageBytes(message);
        if (limit !== undefined && weight > limit.max && this.#inq.size + count > 0) break;
      }
      if (count > 0) return count;
      await this.#inq.untilRoom(signal);
    }
  }

  async #takeTurn(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // Whoever ends a turn hands it over, so that nobody overtakes those who wait.
    if (this.#busy) await this.#turns.wait(signal);
    this.#busy = true;
  }

  #endTurn(): void {
    if (this.#turns.size > 0) this.#turns.wakeOne();
    else this.#busy = false;
  }
}
