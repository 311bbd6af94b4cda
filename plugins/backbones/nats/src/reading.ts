import type { ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import { JoinableQueue } from "@threatbus/core";
import { isUnfiltered } from "./consumer.ts";
import type { NatsOptions } from "./options.ts";
import type { Reports } from "./reports.ts";
import { Resumption } from "./resumption.ts";
import type { Session } from "./session.ts";

/** Received messages that wait to be delivered, at most. */
const BUFFER = 1_024;
const BUFFER_BYTES = 64 * 1024 * 1024;
/** Bytes asked for at once; more than the largest message that the server takes, or that one would never come. */
const PULL_BYTES = 32 * 1024 * 1024;
const PULL_HEADROOM = 1024 * 1024;
/** The client asks for at most 100 messages, and again when so many of them are still to come. */
const PULL_THRESHOLD = 50;
/**
 * Milliseconds until a request for messages is renewed, and between two signs of life of the server. When two of those are
 * missing, the client asks for the consumer; while there is no leader that fails, and it waits for as long as a request lasts.
 */
const PULL_EXPIRES = 5_000;
const HEARTBEAT = 2_000;
/** Each message that waits here tells the stream so many times per `ack_wait` that it is being worked on. */
const SIGNS_OF_LIFE = 3;
/** After so many `ack_wait` what has not come again is not waited for any more. */
const RESUME_PATIENCE = 2;

export interface ReadingOptions {
  readonly session: Session;
  readonly options: NatsOptions;
  readonly reports: Reports;
}

/** Reads the messages of one session ahead, bounded, and keeps the stream from sending them again meanwhile. */
export class Reading {
  readonly #session: Session;
  readonly #options: NatsOptions;
  readonly #reports: Reports;
  readonly #buffer = new JoinableQueue<JsMsg>(BUFFER, { max: BUFFER_BYTES, weigh: ({ data }) => data.length });
  /** Received and not acknowledged, in the order of arrival. */
  readonly #held = new Set<JsMsg>();
  readonly #resumption: Resumption<JsMsg>;
  /** Everything in the stream is meant for this instance. */
  readonly #isUnfiltered: boolean;
  /** Highest sequence number that was sent to this instance. */
  #newest: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #messages: ConsumerMessages | undefined;
  #received: Promise<void> = Promise.resolve();
  /** Those who put into the buffer do so one after the other. */
  #entering: Promise<void> = Promise.resolve();

  constructor({ session, options, reports }: ReadingOptions) {
    this.#session = session;
    this.#options = options;
    this.#reports = reports;
    const info = session.consumer?.info;
    this.#newest = info?.delivered.stream_seq ?? 0;
    this.#isUnfiltered = info !== undefined && isUnfiltered(info);
    this.#resumption = new Resumption(this.#newest, info?.num_ack_pending ?? 0, BUFFER_BYTES);
  }

  async open(): Promise<void> {
    const { stream, consumer, ack_wait } = this.#options;
    const ensured = this.#session.consumer;
    if (ensured === undefined) throw new Error("there is no consumer to read from");
    const handle = this.#session.js.consumers.getConsumerFromInfo(ensured.info);
    this.#messages = await handle.consume({
      max_bytes: Math.max(PULL_BYTES, this.#session.info.max_payload + PULL_HEADROOM),
      threshold_messages: PULL_THRESHOLD,
      expires: PULL_EXPIRES,
      idle_heartbeat: HEARTBEAT,
      abort_on_missing_resource: true,
    });
    this.#timers.push(setInterval(() => this.#signOfLife(), ack_wait / SIGNS_OF_LIFE));
    if (this.#resumption.isWaiting) {
      this.#reports.logger.debug({ stream, consumer }, "what was not acknowledged before comes first");
      this.#timers.push(setTimeout(() => this.#giveUpOrder(), RESUME_PATIENCE * ack_wait));
    }
    this.#received = this.#receive(this.#messages);
  }

  /** At least one and at most `max` messages. @throws the signal's reason */
  async next(max: number, signal: AbortSignal): Promise<readonly JsMsg[]> {
    const messages = await this.#buffer.getMany(max, signal);
    this.#buffer.taskDone(messages.length);
    return messages;
  }

  /** The stream need not send these again. */
  acknowledge(messages: readonly JsMsg[]): void {
    for (const message of messages) {
      this.#held.delete(message);
      if (!this.#session.signal.aborted) message.ack();
    }
  }

  /** Gives back what was not delivered: it comes again at once, here or in the next process of this name. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#buffer.close();
    await this.#messages?.close();
    await this.#received;
    if (this.#session.signal.aborted) return;
    for (const message of this.#held) message.nak();
  }

  async #receive(messages: ConsumerMessages): Promise<void> {
    try {
      for await (const message of messages) {
        this.#held.add(message);
        this.#noteGap(message.seq);
        const ready = this.#resumption.admit(message);
        if (ready.length > 0 && !this.#buffer.closed) await this.#enter(ready);
      }
      this.#session.fail(new Error("the consumer ended"));
    } catch (error) {
      this.#session.fail(error);
    }
  }

  /**
   * Counts what the stream gave up (max_age, max_bytes) before this instance had it: numbers that are left out. With a
   * filter nobody can tell what was meant for it.
   */
  #noteGap(seq: number): void {
    if (this.#isUnfiltered && seq > this.#newest + 1) this.#reports.missed(seq - this.#newest - 1);
    this.#newest = Math.max(this.#newest, seq);
  }

  /** Waits for room: until then nothing more is asked for. */
  async #enter(messages: readonly JsMsg[]): Promise<void> {
    const entering = this.#entering.then(() => this.#buffer.putMany(messages));
    // A buffer that was closed: they stay held, and are given back.
    this.#entering = entering.catch(() => undefined);
    await this.#entering;
  }

  #signOfLife(): void {
    if (this.#session.signal.aborted) return;
    for (const message of this.#held) message.working();
  }

  #giveUpOrder(): void {
    if (!this.#resumption.isWaiting) return;
    this.#reports.logger.warn(
      {},
      "messages that were not acknowledged before did not come again in time; going on without them",
    );
    void this.#enter(this.#resumption.release());
  }
}
