import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type BackboneContext, createMessageFactory, type Logger, type Router, StoppableWorker } from "@threatbus/core";
import type { ParsedStix } from "@threatbus/stix";
import type { FileBenchmarkOptions } from "./options.ts";

const BATCH = 256;

/** Sends the objects of the file, all of them `repetitions` times, each time as new messages. */
export class ReplayWorker extends StoppableWorker {
  readonly #objects: readonly ParsedStix[];
  readonly #router: Router;
  readonly #logger: Logger;
  readonly #accept: BackboneContext["accept"];
  readonly #delay: number;
  readonly #total: number;
  readonly #messages = createMessageFactory("file_benchmark");
  /** Survives a restart of the worker, so that nothing is sent again. */
  #sent = 0;

  constructor(context: BackboneContext<FileBenchmarkOptions>, router: Router, objects: readonly ParsedStix[]) {
    super("file-benchmark-replay", context);
    this.#objects = objects;
    this.#router = router;
    this.#logger = context.logger;
    this.#accept = context.accept;
    this.#delay = context.config.delay;
    this.#total = objects.length * context.config.repetitions;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    try {
      if (this.#sent === 0) await sleep(this.#delay, undefined, { signal });
      const began = performance.now();
      while (this.#sent < this.#total) {
        const batch = this.#nextBatch();
        await this.#router.deliverWithRoom(await this.#accept(batch));
        await nextTurn(undefined, { signal });
      }
      this.#report(performance.now() - began);
    } finally {
      if (signal.aborted && this.#sent < this.#total) {
        const fields = { sent: this.#sent, not_sent: this.#total - this.#sent };
        this.#logger.warn(fields, "stopped before the whole file was sent");
      }
    }
  }

  #nextBatch() {
    const batch = [];
    for (const end = Math.min(this.#sent + BATCH, this.#total); this.#sent < end; this.#sent += 1) {
      const object = this.#objects[this.#sent % this.#objects.length];
      if (object !== undefined) batch.push(this.#messages.stix(object));
    }
    return batch;
  }

  #report(milliseconds: number): void {
    const seconds = milliseconds / 1_000;
    this.#logger.info({ messages: this.#sent, seconds }, "the file has been sent");
  }
}
