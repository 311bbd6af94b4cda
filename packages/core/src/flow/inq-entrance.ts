import type { Message } from "../contracts/message.ts";
import type { JoinableQueue } from "./joinable-queue.ts";
import { messageBytes } from "./message-bytes.ts";
import { Waiters } from "./waiters.ts";

/** What was kept. */
export interface Entered {
  /** The highest position or number that was given; 0: none was. */
  readonly last: number;
}

/** Keeps messages that there is room for in the inq. */
export type Enter = (messages: readonly Message[]) => Promise<Entered>;

/** Where messages are kept on their way into the inq: in the durable log, or in its outbox. */
export interface Keeping {
  readonly enter: Enter;
  /** Resolves when everything up to there is as safe as the log promises. */
  settled(last: number): Promise<unknown>;
}

/** Hears of messages that are in the inq. */
export type Accepted = (message: Message) => void;

/** Is a message still to be put, now that nothing else can come before it? */
export type Wanted = (message: Message) => boolean;

/**
 * The way into the inq. With a durable log a message is kept there first, in the very order of the inq: what was accepted
 * is safe although no backbone has seen it yet. Where all of them deliver inside this process it enters the log itself, so
 * that positions follow the order of delivery; else it enters the outbox.
 */
export class InqEntrance {
  readonly #inq: JoinableQueue<Message>;
  readonly #observe: (messages: readonly Message[]) => void;
  #keeping: Keeping | undefined;
  /** Somebody is between the log and the inq. */
  #busy = false;
  readonly #turns = new Waiters();

  /** @param observe hears of messages when they are in the inq */
  constructor(inq: JoinableQueue<Message>, observe: (messages: readonly Message[]) => void = () => undefined) {
    this.#inq = inq;
    this.#observe = observe;
  }

  /** From now on messages are kept; before the first message. */
  use(keeping: Keeping): void {
    this.#keeping = keeping;
  }

  /** Resolves when all are accepted: in the inq, and as safe as the log promises. Rejects like JoinableQueue.put. */
  async putMany(
    messages: readonly Message[],
    accepted: Accepted,
    signal?: AbortSignal,
    wanted?: Wanted,
  ): Promise<void> {
    if (this.#keeping === undefined) await this.#putAll(wanted ? messages.filter(wanted) : messages, accepted, signal);
    else await this.#keep(messages, this.#keeping, accepted, signal, wanted);
  }

  /** Puts what comes in parts, as there is room for it, before all that others put from the call on. */
  async putFirst(parts: AsyncIterable<readonly Message[]>, enter: Enter, signal: AbortSignal): Promise<void> {
    await this.#takeTurn(signal);
    try {
      for await (const part of parts) await this.#putParts(part, enter, () => undefined, signal);
    } finally {
      this.#endTurn();
    }
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

  async #keep(
    all: readonly Message[],
    { enter, settled }: Keeping,
    accepted: Accepted,
    signal?: AbortSignal,
    wanted?: Wanted,
  ): Promise<void> {
    let last = 0;
    await this.#takeTurn(signal);
    try {
      last = await this.#putParts(wanted ? all.filter(wanted) : all, enter, accepted, signal);
    } finally {
      this.#endTurn();
    }
    if (last > 0) await settled(last);
  }

  /** @returns the highest position or number that was given; 0: none was */
  async #putParts(
    messages: readonly Message[],
    enter: Enter,
    accepted: Accepted,
    signal?: AbortSignal,
  ): Promise<number> {
    let last = 0;
    for (let next = 0; next < messages.length; ) {
      const part = messages.slice(next, next + (await this.#room(messages, next, signal)));
      last = Math.max(last, (await enter(part)).last);
      // There is room for them: nobody else puts, and only their reader takes.
      await this.#putAll(part, accepted);
      next += part.length;
    }
    return last;
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
