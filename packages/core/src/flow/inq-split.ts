import type { Message } from "../contracts/message.ts";
import { JoinableQueue } from "./joinable-queue.ts";
import { StoppableWorker, type WorkerContext } from "./stoppable-worker.ts";

const BATCH = 256;
/**
 * Messages that one backbone may be ahead of another, beside those that it has taken. After a restart it gets them a second
 * time: they, and what is on its way to a broker, have to be among the ids that are recalled from the log (10,000).
 */
const LEAD = 5_000;

/** Gives each of several backbones its own copy of the inq; the slowest of them sets the pace. */
export class InqSplit extends StoppableWorker {
  readonly #inq: JoinableQueue<Message>;
  #copies: readonly JoinableQueue<Message>[];

  constructor(inq: JoinableQueue<Message>, count: number, context: WorkerContext) {
    super("inq split", context);
    this.#inq = inq;
    const capacity = Math.min(inq.capacity, LEAD);
    this.#copies = Array.from({ length: count }, () => new JoinableQueue(capacity, inq.limit));
  }

  get copies(): readonly JoinableQueue<Message>[] {
    return this.#copies;
  }

  /** Ends the copy of a backbone that did not start: nobody reads it, so that it would fill up and stop the others. */
  remove(copy: JoinableQueue<Message>): void {
    this.#copies = this.#copies.filter((other) => other !== copy);
  }

  /** Messages that some backbone has not dealt with. */
  get unfinished(): number {
    return this.#copies.reduce((sum, copy) => sum + copy.unfinished, 0);
  }

  /** Resolves when every backbone has dealt with everything. */
  async drained(signal: AbortSignal): Promise<void> {
    await this.#inq.join(signal);
    await Promise.all(this.#copies.map((copy) => copy.join(signal)));
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const messages = await this.#inq.getMany(BATCH, signal);
      await Promise.all(this.#copies.map((copy) => copy.putMany(messages, signal)));
      this.#inq.taskDone(messages.length);
    }
  }
}
