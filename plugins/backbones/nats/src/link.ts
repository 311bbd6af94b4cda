import type { NatsConnection } from "@nats-io/transport-node";
import { type BackboneContext, type BackboneState, type MessageType, StoppableWorker } from "@threatbus/core";
import { orAborted } from "./abort.ts";
import { Backoff } from "./backoff.ts";
import { connectOnce } from "./connect.ts";
import { ensureConsumer } from "./consumer.ts";
import { failureText } from "./failures.ts";
import type { NatsOptions } from "./options.ts";
import type { Reports } from "./reports.ts";
import { Session } from "./session.ts";
import { differences, ensureStream } from "./stream.ts";

/** Largest message that plugins accept by default, in bytes: a server that takes less deserves a word. */
const USUAL_LARGEST = 10 * 1024 * 1024;

/** A connection that lasted so many milliseconds was a good one: the next attempt after it comes soon. */
const LASTING = 10_000;

/** Milliseconds that the start of the bus waits for the first connection; many servers may be silent. */
const FIRST_PATIENCE = 6_000;

/** The way to the stream: connects for ever, and hands out the connection once stream and consumer are there. */
export class Link extends StoppableWorker {
  readonly #options: NatsOptions;
  readonly #reports: Reports;
  readonly #wanted = new Set<MessageType>();
  /** Somebody has subscribed. */
  #begun = false;
  /** Size of `#wanted`, which only grows, when the consumer of this session was last agreed on. */
  #agreedOn = -1;
  readonly #backoff = new Backoff();
  readonly #tried = Promise.withResolvers<void>();
  #session: Session | undefined;
  /** Resolves at the next change of `#session`. */
  #change = Promise.withResolvers<void>();
  /** The last agreement about the consumer: one at a time. */
  #agreement: Promise<unknown> = Promise.resolve();
  #state: BackboneState = { ok: false, text: "not connected yet" };
  /** What publishing waits for, if it does. */
  #hindrance: string | undefined;
  #saidOfStream = "";
  #saidPayload = 0;

  constructor(context: BackboneContext<NatsOptions>, reports: Reports) {
    super("nats-link", context);
    this.#options = context.config;
    this.#reports = reports;
  }

  get state(): BackboneState {
    const { ok, text } = this.#state;
    return ok && this.#hindrance !== undefined ? { ok: false, text: `${text}; ${this.#hindrance}` } : this.#state;
  }

  /** Resolves when the first attempt has succeeded or failed, or takes too long to wait for. */
  get tried(): Promise<void> {
    setTimeout(() => this.#tried.resolve(), FIRST_PATIENCE).unref();
    return this.#tried.promise;
  }

  /** Publishing waits for something, or (undefined) does not any more. */
  hinder(reason: string | undefined): void {
    this.#hindrance = reason;
  }

  /**
   * From now on messages of these types are wanted. Resolves when the server knows; at once while there is none, since it
   * is told at the next connection, before anything else.
   */
  async want(types: readonly MessageType[]): Promise<void> {
    this.#begun = true;
    for (const type of types) this.#wanted.add(type);
    if (this.#session !== undefined) await this.#catchUp(this.#session);
  }

  /** The connection, when there is one with a consumer. @throws the signal's reason */
  async session(signal: AbortSignal): Promise<Session> {
    for (;;) {
      signal.throwIfAborted();
      const session = this.#session;
      if (session?.consumer !== undefined && !session.signal.aborted) return session;
      await orAborted(this.#change.promise, signal);
    }
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const began = performance.now();
      try {
        await this.#once(signal);
      } catch (error) {
        if (!signal.aborted) this.#fail(error);
      } finally {
        this.#tried.resolve();
      }
      if (performance.now() - began > LASTING) this.#backoff.reset();
      if (!signal.aborted) await this.#backoff.pause(signal);
    }
  }

  /** One connection, from its beginning to its end. @throws why it ended */
  async #once(signal: AbortSignal): Promise<void> {
    const session = await Session.over(await this.#connect(signal));
    const stop = () => session.fail(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const over = overOf(session);
    try {
      if (signal.aborted) stop();
      await Promise.race([this.#prepare(session), over]);
      this.#enter(session);
      await over;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#session = undefined;
      this.#changed();
      await session.close();
    }
  }

  /** @throws at once when the worker is stopped, though a server that does not answer takes its time */
  async #connect(signal: AbortSignal): Promise<NatsConnection> {
    const connecting = connectOnce(this.#options);
    try {
      return await orAborted(connecting, signal);
    } catch (error) {
      if (signal.aborted) void connecting.then((late) => late.close()).catch(() => undefined);
      throw error;
    }
  }

  async #prepare(session: Session): Promise<void> {
    const { config } = await ensureStream(session.jsm, this.#options);
    this.#compare(differences(config, this.#options).join("; "));
    this.#sayPayload(session.info.max_payload);
    this.#agreedOn = -1;
    if (this.#begun) await this.#agree(session);
  }

  #enter(session: Session): void {
    this.#session = session;
    const { stream, consumer } = this.#options;
    const text = `connected to ${session.server} (${session.info.version}), stream ${stream}, instance ${consumer}`;
    this.#state = { ok: true, text };
    this.#reports.recovered(text);
    this.#tried.resolve();
    this.#changed();
    // Somebody may have subscribed between the agreement and now.
    void this.#catchUp(session);
  }

  /** Tells the server what is wanted since it was told last; never throws. */
  async #catchUp(session: Session): Promise<void> {
    if (!this.#begun || this.#agreedOn === this.#wanted.size) return;
    try {
      await this.#agree(session);
    } catch (error) {
      session.fail(error);
    }
  }

  #fail(error: unknown): void {
    const text = failureText(error);
    this.#state = { ok: false, text: `not connected to ${this.#options.servers.join(", ")}: ${text}` };
    this.#reports.trouble(text, this.#options.servers);
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Makes the consumer get what is wanted; later calls wait for earlier ones. */
  async #agree(session: Session): Promise<void> {
    const agreement = this.#agreement.then(async () => {
      const isFirst = session.consumer === undefined;
      const size = this.#wanted.size;
      if (size === this.#agreedOn) return;
      const request = { options: this.#options, version: session.info.version, wanted: new Set(this.#wanted) };
      session.consumer = await ensureConsumer(session.jsm, request);
      this.#agreedOn = size;
      if (isFirst) this.#warnOfTwin(session);
    });
    this.#agreement = agreement.catch(() => undefined);
    await agreement;
    this.#changed();
  }

  #compare(text: string): void {
    if (text === this.#saidOfStream) return;
    this.#saidOfStream = text;
    if (text !== "")
      this.#reports.logger.warn({ differences: text }, "the stream exists with other settings; it is used as it is");
  }

  #sayPayload(max: number): void {
    if (max === this.#saidPayload) return;
    this.#saidPayload = max;
    if (max >= USUAL_LARGEST) return;
    const advice =
      "the server takes smaller messages than apps may publish; what is larger is dropped. Raise its max_payload";
    this.#reports.logger.warn({ max_payload: max }, advice);
  }

  /** Two processes with one name would each get a part of the messages. */
  #warnOfTwin({ consumer }: Session): void {
    if (consumer === undefined || !consumer.existed || consumer.info.num_waiting === 0) return;
    const fields = { instance: this.#options.consumer };
    const text =
      "somebody reads as this instance already; if it is another process, each gets only a part of the messages";
    this.#reports.logger.warn(fields, text);
  }
}

/** Rejects with the reason when the session is over. */
function overOf({ signal }: Session): Promise<never> {
  const over = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  over.catch(() => undefined);
  return over;
}
