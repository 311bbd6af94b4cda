import { setImmediate as nextTurn } from "node:timers/promises";
import { type Logger, type Message, type Router, type Source, StoppableWorker } from "@threatbus/core";

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

  constructor(inq: Source<Message>, router: Router, logger: Logger) {
    super("inmem-deliver", logger);
    this.#inq = inq;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    let turnBegan = performance.now();
    for (;;) {
      const messages = await this.#inq.getMany(BATCH, signal);
      this.#router.deliver(messages);
      this.#inq.taskDone(messages.length);
      await untilRoom(this.#router.room(), signal);
      if (performance.now() - turnBegan < SLICE) continue;
      await nextTurn(undefined, { signal });
      turnBegan = performance.now();
    }
  }
}

/** Waits as the router advises. Stopping ends the wait: everything taken is delivered by then. */
async function untilRoom(room: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (room === undefined) return;
  signal.throwIfAborted();
  const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
  const onAbort = (): void => abort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([room, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  signal.throwIfAborted();
}
