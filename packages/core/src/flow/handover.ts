import type { Appended, DurableLog } from "../contracts/log.ts";
import type { Message, StixMessage } from "../contracts/message.ts";
import type { Source } from "../contracts/queues.ts";
import type { Entered, InqEntrance } from "./inq-entrance.ts";
import { JoinableQueue } from "./joinable-queue.ts";
import { historicMessage } from "./logged-message.ts";

/** Instead of a number: not in the outbox, since it would be of no use after a restart ... */
const PASSING = 0;
/** ... or since the log did not take it. */
const MISSED = -1;
const NOTHING: Appended = { first: 0, last: 0, dropped: [] };

/** One backbone, and how many messages it has answered for. */
interface Reader {
  readonly source: Source<Message>;
  done: number;
}

/**
 * Messages between the inq and the brokers: what is accepted is in the durable log's outbox before it is in the inq, and
 * leaves it when every backbone has answered for it. What a crash or a stop leaves behind is put into the inq first at
 * the next start, as it was accepted, so that brokers and instances recognise what they have had already.
 */
export class Handover {
  readonly #outbox: DurableLog["outbox"];
  readonly #onDrop: (count: number) => void;
  /** Outbox numbers of the messages that some backbone has still to answer for, in the order of the inq. */
  readonly #numbers = new JoinableQueue<number>();
  #readers: readonly Reader[] = [];
  /** Messages that every backbone has answered for. */
  #done = 0;
  /** How many of `#numbers` are `PASSING`, and `MISSED`. */
  #passing = 0;
  #missed = 0;
  /** What lies behind this number in the outbox may not have been read since the start: it must not be removed unseen. */
  #removable = Number.POSITIVE_INFINITY;
  readonly #stopping = new AbortController();
  #restoring: Promise<void> = Promise.resolve();

  /** @param onDrop hears of messages that the log did not take: they are handed on all the same */
  constructor(outbox: DurableLog["outbox"], onDrop: (count: number) => void) {
    this.#outbox = outbox;
    this.#onDrop = onDrop;
  }

  /** Messages that are in no outbox and wait for a backbone's answer. */
  get notKept(): number {
    return this.#passing + this.#missed;
  }

  /** Those of them that the log should have kept. */
  get missed(): number {
    return this.#missed;
  }

  /** Messages that wait for a backbone's answer. */
  get unfinished(): number {
    return this.#numbers.size;
  }

  /** Keeps what is about to enter the inq. Snapshot requests and answers are of no use after a restart. */
  readonly enter = async (messages: readonly Message[]): Promise<Entered> => {
    const kept = messages.filter(isStix);
    const { first, last, dropped } = kept.length === 0 ? NOTHING : await this.#outbox.add(kept);
    if (dropped.length > 0) this.#onDrop(dropped.length);
    const missing = new Set(dropped);
    let number = first;
    let index = 0;
    for (const message of messages) {
      if (!isStix(message)) this.#await(PASSING);
      else this.#await(missing.has(index++) ? MISSED : number++);
    }
    return { last };
  };

  /** Puts what the last process left into the inq, before anything else; what has no room there makes the others wait. */
  restore(entrance: InqEntrance, onError: (error: unknown) => void): void {
    const numbers = new Map<Message, number>();
    const enter = async (messages: readonly Message[]): Promise<Entered> => {
      for (const message of messages) {
        const number = numbers.get(message) ?? PASSING;
        this.#await(number);
        this.#removable = Math.max(this.#removable, number);
      }
      return { last: 0 };
    };
    this.#removable = 0;
    const { signal } = this.#stopping;
    const restore = async (): Promise<void> => {
      try {
        await entrance.putFirst(this.#left(numbers), enter, signal);
        if (!signal.aborted) this.#removable = Number.POSITIVE_INFINITY;
      } catch (error) {
        if (!signal.aborted) onError(error);
      }
    };
    this.#restoring = restore();
  }

  /** Resolves when everything that was left is in the inq, or when the signal aborts. */
  async restored(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    await Promise.race([this.#restoring, aborted.promise]);
    signal.removeEventListener("abort", abort);
  }

  /** Puts nothing more into the inq. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#restoring;
  }

  /** The view of the inq, or of its copy, that one backbone gets: what it answers for is forgotten when all have. */
  watch(inner: Source<Message>): Source<Message> {
    const source: Source<Message> = {
      get: (signal) => inner.get(signal),
      getMany: (max, signal) => inner.getMany(max, signal),
      taskDone: (count = 1) => {
        inner.taskDone(count);
        reader.done += count;
        this.#forget();
      },
    };
    const reader: Reader = { source, done: this.#done };
    this.#readers = [...this.#readers, reader];
    return source;
  }

  /** That backbone did not start: nobody waits for its answers. */
  unwatch(source: Source<Message>): void {
    this.#readers = this.#readers.filter((reader) => reader.source !== source);
    this.#forget();
  }

  /** What the outbox holds, from the oldest on. @param numbers gets the number of each message of the part */
  async *#left(numbers: Map<Message, number>): AsyncGenerator<readonly Message[]> {
    for (let after = 0; ; ) {
      const { records, last, end } = await this.#outbox.read({ after });
      numbers.clear();
      const messages = records.map((record) => {
        const message = historicMessage(record);
        numbers.set(message, record.position);
        return message;
      });
      if (messages.length > 0) yield messages;
      if (end || this.#stopping.signal.aborted) return;
      after = last;
    }
  }

  #await(number: number): void {
    this.#numbers.tryPut(number);
    this.#count(number, 1);
  }

  #forget(): void {
    let done = Number.POSITIVE_INFINITY;
    for (const reader of this.#readers) done = Math.min(done, reader.done);
    if (done === Number.POSITIVE_INFINITY || done <= this.#done) return;
    let last = 0;
    for (const number of this.#numbers.takeNow(done - this.#done)) {
      this.#count(number, -1);
      last = Math.max(last, number);
    }
    this.#done = done;
    const upTo = Math.min(last, this.#removable);
    if (upTo > 0) this.#outbox.remove(upTo);
  }

  #count(number: number, change: 1 | -1): void {
    if (number === PASSING) this.#passing += change;
    else if (number === MISSED) this.#missed += change;
  }
}

function isStix(message: Message): message is StixMessage {
  return message.type === "indicator" || message.type === "sighting";
}
