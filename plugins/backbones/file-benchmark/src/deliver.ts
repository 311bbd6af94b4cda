import { setImmediate as nextTurn } from "node:timers/promises";
import { type BackboneContext, type Message, type Router, type Source, StoppableWorker } from "@threatbus/core";

const BATCH = 256;

/** Routes what apps publish meanwhile, so that nothing is lost and nobody waits for a full inq. */
export class DeliverWorker extends StoppableWorker {
  readonly #inq: Source<Message>;
  readonly #router: Router;

  constructor(context: BackboneContext, router: Router) {
    super("file-benchmark-deliver", context);
    this.#inq = context.inq;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const messages = await this.#inq.getMany(BATCH, signal);
      try {
        this.#router.deliver(messages);
      } finally {
        this.#inq.taskDone(messages.length);
      }
      await this.#router.room();
      // Sockets get their turn after each batch: the file's messages are what is measured, not these.
      await nextTurn(undefined, { signal });
    }
  }
}
