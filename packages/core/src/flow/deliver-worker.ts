import { setImmediate as nextTurn } from "node:timers/promises";
import type { BackboneContext } from "../contracts/backbone-plugin.ts";
import type { Message } from "../contracts/message.ts";
import type { Source } from "../contracts/queues.ts";
import type { Router } from "../subscriptions/router.ts";
import { StoppableWorker } from "./stoppable-worker.ts";

/** Messages taken from the inq at once. */
const BATCH = 256;
/** Milliseconds of routing after which sockets and timers get their turn: a full inq is read without ever waiting. */
const SLICE = 5;

/**
 * Carries messages from the inq to the outqs of this process, in order, for backbones that need no broker.
 * A batch that was taken is delivered to its end, also when the worker is stopped meanwhile: nothing taken is lost.
 */
export class DeliverWorker extends StoppableWorker {
  readonly #inq: Source<Message>;
  readonly #router: Router;

  /** @param backbone name of the plugin, for logs and metrics. */
  constructor(backbone: string, context: BackboneContext, router: Router) {
    super(`${backbone}-deliver`, context);
    this.#inq = context.inq;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    let turnBegan = performance.now();
    for (;;) {
      const messages = await this.#inq.getMany(BATCH, signal);
      try {
        await this.#router.deliverWithRoom(messages);
      } finally {
        // Also when a queue throws: the drain at shutdown waits until every message is answered for.
        this.#inq.taskDone(messages.length);
      }
      if (performance.now() - turnBegan < SLICE) continue;
      await nextTurn(undefined, { signal });
      turnBegan = performance.now();
    }
  }
}
