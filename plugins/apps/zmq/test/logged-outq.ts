import { type Message, Outq, type OutqOptions } from "@threatbus/core";

/** Where the subscriptions of a test begin. */
export const START = 100;

/** A queue as a bus with a durable log makes it: it knows how far its reader has got, each message being one position. */
export class LoggedOutq extends Outq {
  override readonly overflow = "log";
  /** While true, a snapshot is being handed out: there is no position. */
  inSnapshot = false;
  #done = 0;
  readonly #onProgress: OutqOptions["onProgress"];

  constructor(options: OutqOptions) {
    super(options);
    this.#onProgress = options.onProgress;
  }

  /** All of the snapshot was handed out, and nothing else comes. */
  endSnapshot(): void {
    this.inSnapshot = false;
    this.#onProgress?.();
  }

  override get start(): number | undefined {
    return START;
  }

  override get handedTo(): number | undefined {
    return this.inSnapshot ? undefined : START + this.#done;
  }

  override taskDone(count = 1): void {
    super.taskDone(count);
    this.#done += count;
  }

  /** All at once, so that the reader takes them together. */
  offerAll(messages: readonly Message[]): void {
    for (const message of messages) this.offer(message);
  }
}
