import type { Message, MessageType } from "../contracts/message.ts";
import type { Inq } from "../contracts/queues.ts";
import type { TypeCounts } from "../observe/flow-counts.ts";
import type { InqEntrance, Wanted } from "./inq-entrance.ts";

/** The inq as one plugin sees it: counts exactly what was accepted, once per call. */
export class CountedInq implements Inq {
  readonly #entrance: InqEntrance;
  readonly #count: (counts: TypeCounts) => void;

  constructor(entrance: InqEntrance, count: (counts: TypeCounts) => void) {
    this.#entrance = entrance;
    this.#count = count;
  }

  put(message: Message, signal?: AbortSignal): Promise<void> {
    return this.putMany([message], signal);
  }

  /** @param wanted asked of each message when its turn has come; those that are not are left out */
  async putMany(messages: readonly Message[], signal?: AbortSignal, wanted?: Wanted): Promise<void> {
    const counts: Partial<Record<MessageType, number>> = {};
    try {
      await this.#entrance.putMany(messages, ({ type }) => (counts[type] = (counts[type] ?? 0) + 1), signal, wanted);
    } finally {
      // Also when it was given up half-way: what is in the inq goes on.
      this.#count(counts);
    }
  }
}
