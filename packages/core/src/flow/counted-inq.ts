import type { Message, MessageType } from "../contracts/message.ts";
import type { Inq } from "../contracts/queues.ts";
import type { TypeCounts } from "../observe/flow-counts.ts";
import type { JoinableQueue } from "./joinable-queue.ts";

/** The inq as one plugin sees it: counts exactly what found room, once per call. */
export class CountedInq implements Inq {
  readonly #inq: JoinableQueue<Message>;
  readonly #count: (counts: TypeCounts) => void;

  constructor(inq: JoinableQueue<Message>, count: (counts: TypeCounts) => void) {
    this.#inq = inq;
    this.#count = count;
  }

  put(message: Message, signal?: AbortSignal): Promise<void> {
    return this.putMany([message], signal);
  }

  async putMany(messages: readonly Message[], signal?: AbortSignal): Promise<void> {
    const counts: Partial<Record<MessageType, number>> = {};
    try {
      for (const message of messages) {
        if (!this.#inq.tryPut(message)) await this.#inq.put(message, signal);
        counts[message.type] = (counts[message.type] ?? 0) + 1;
      }
    } finally {
      // Also when it was given up half-way: what is in the inq goes on.
      this.#count(counts);
    }
  }
}
