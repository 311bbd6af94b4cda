import type { Connection } from "../connection/connection.ts";
import { abortable } from "../wait.ts";
import type { Publisher } from "./publisher.ts";
import type { SendResult, TopicSender } from "./publishing.ts";

const NONE: readonly Connection[] = [];
const STALE = -1;

/** A TopicSender on a publisher. */
export class CachingSender implements TopicSender {
  readonly topic: string;
  readonly #bytes: string;
  readonly #publisher: Publisher;
  #generation = STALE;
  #owners = NONE;
  #others = NONE;

  constructor(publisher: Publisher, topic: string) {
    this.#publisher = publisher;
    this.topic = topic;
    this.#bytes = Buffer.from(topic, "utf8").toString("latin1");
  }

  get connections(): number {
    this.#refresh();
    return this.#owners.length;
  }

  send(first: Uint8Array, second?: Uint8Array, ...rest: readonly Uint8Array[]): SendResult {
    if (this.#generation !== this.#publisher.generation) this.#refresh();
    const owners = this.#owners;
    if (owners.length === 0) return "unsubscribed";
    for (const owner of owners) if (owner.outbox.isFull()) return "full";
    const more = rest.length > 0 ? rest : undefined;
    for (const owner of owners) owner.outbox.message(first, second, more);
    for (const other of this.#others) {
      if (other.outbox.isFull()) this.#publisher.countDropped(other);
      else other.outbox.message(first, second, more);
    }
    return "sent";
  }

  async writable(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    for (;;) {
      this.#refresh();
      if (this.#owners.every((owner) => owner.outbox.isWritable())) return;
      await this.#publisher.waiters.next(signal);
    }
  }

  dropStalled(): number {
    this.#refresh();
    const stalled = this.#owners.filter(({ outbox }) => outbox.isFull() || !outbox.isWritable());
    if (stalled.length === this.#owners.length) return 0;
    for (const owner of stalled) owner.drop("stalled");
    return stalled.length;
  }

  async flushed(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#refresh();
    const all = Promise.all(this.#owners.map((owner) => owner.outbox.flushed()));
    await abortable(signal, (resolve) => {
      void all.then(resolve);
      return () => {};
    });
  }

  close(): void {
    this.#generation = STALE;
    this.#owners = NONE;
    this.#others = NONE;
  }

  #refresh(): void {
    if (this.#generation === this.#publisher.generation) return;
    this.#generation = this.#publisher.generation;
    const match = this.#publisher.match(this.#bytes);
    this.#owners = match.owners;
    this.#others = match.others;
  }
}
