import type { Message } from "../contracts/message.ts";
import type { Outq } from "../flow/outq.ts";
import { StoppableWorker, type WorkerContext } from "../flow/stoppable-worker.ts";

const BATCH = 256;

/** Reads the bus's own subscription: snapshot requests and envelopes. The next ones wait until the last are handled. */
export class InternalSubscriber extends StoppableWorker {
  readonly #queue: Outq;
  readonly #handle: (messages: readonly Message[]) => Promise<void>;

  constructor(queue: Outq, handle: (messages: readonly Message[]) => Promise<void>, context: WorkerContext) {
    super("snapshots", context);
    this.#queue = queue;
    this.#handle = handle;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const messages = await this.#queue.getMany(BATCH, signal);
      try {
        await this.#handle(messages);
      } finally {
        this.#queue.taskDone(messages.length);
      }
    }
  }
}
