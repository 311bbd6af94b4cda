import type { Message } from "../contracts/message.ts";
import type { Outq } from "../flow/outq.ts";
import { StoppableWorker, type WorkerContext } from "../flow/stoppable-worker.ts";

const BATCH = 256;

/** Reads the bus's own subscription: snapshot requests and envelopes. */
export class InternalSubscriber extends StoppableWorker {
  readonly #queue: Outq;
  readonly #handle: (message: Message) => void;

  constructor(queue: Outq, handle: (message: Message) => void, context: WorkerContext) {
    super("snapshots", context);
    this.#queue = queue;
    this.#handle = handle;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const messages = await this.#queue.getMany(BATCH, signal);
      try {
        for (const message of messages) this.#handle(message);
      } finally {
        this.#queue.taskDone(messages.length);
      }
    }
  }
}
