import { setImmediate as nextTurn } from "node:timers/promises";
import { type BackboneContext, type Message, type Router, type Source, StoppableWorker } from "@threatbus/core";

/** Messages taken from the inq at once. */
const BATCH = 256;
/** Milliseconds of routing after which sockets and timers get their turn: a full inq is read without ever waiting. */
const SLICE = 5;

/**
 * Carries messages from the inq to the outqs, in order.
 * Between taking a batch and answering for it nothing waits, so that stopping can lose nothing that was taken.
 */
export class DeliverWorker extends StoppableWorker {
  readonly #inq: Source<Message>;
  readonly #router: Router;

  constructor(context: BackboneContext, router: Router) {
    super("inmem-deliver", context);
    this.#inq = context.inq;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    let turnBegan = performance.now();
    for (;;) {
      const messages = await this.#inq.getMany(BATCH, signal);
      try {
        this.#router.deliver(messages);
      } finally {
        // Also when a queue throws: the drain at shutdown waits until every message is answered for.
        this.#inq.taskDone(messages.length);
      }
      await this.#router.room();
      if (performance.now() - turnBegan < SLICE) continue;
      await nextTurn(undefined, { signal });
      turnBegan = performance.now();
    }
  }
}
