/** From the inq to the stream. */
import { errors } from "@nats-io/transport-node";
import { type BackboneContext, type Message, type Source, StoppableWorker } from "@threatbus/core";
import { orAborted } from "./abort.ts";
import { Answers } from "./answers.ts";
import { Backoff } from "./backoff.ts";
import { API, apiCode, failureText } from "./failures.ts";
import type { Link } from "./link.ts";
import type { NatsOptions } from "./options.ts";
import type { Reports } from "./reports.ts";
import type { Session } from "./session.ts";
import { type Entry, Window } from "./window.ts";

/** Messages taken from the inq at once. */
const BATCH = 256;
/** Bytes on their way to the stream at most. */
const WINDOW_BYTES = 64 * 1024 * 1024;
/** Milliseconds that a stop waits for what is on its way; the bus gives a backbone 5 s. */
const STOP_PATIENCE = 3_000;
/** Bytes that the header of a message has beside the id (NATS headers, ADR-4), and some to spare. */
const HEADER_BYTES = 64;

/**
 * Sends messages in their order without waiting for each, and answers the inq when the stream has them, oldest first.
 * When anything fails, everything that is not confirmed is sent again in order: the stream recognises by the message id
 * what it has already.
 */
export class Publisher extends StoppableWorker {
  readonly #context: BackboneContext<NatsOptions>;
  readonly #inq: Source<Message>;
  readonly #link: Link;
  readonly #reports: Reports;
  readonly #window: Window;
  readonly #backoff = new Backoff();

  constructor(context: BackboneContext<NatsOptions>, link: Link, reports: Reports) {
    super("nats-publish", context);
    this.#context = context;
    this.#inq = context.inq;
    this.#link = link;
    this.#reports = reports;
    this.#window = new Window(context.config.max_in_flight, WINDOW_BYTES);
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const end = patienceAfter(signal, STOP_PATIENCE);
    try {
      while (!signal.aborted || this.#window.size > 0) {
        const session = await this.#link.session(this.#window.size > 0 ? end : signal);
        const flow = this.#flowOver(session);
        try {
          await this.#sendOver(flow, signal, end);
        } finally {
          flow.answers.close();
        }
      }
    } finally {
      if (signal.aborted && this.#window.size > 0) this.#sayUnfinished();
    }
  }

  #flowOver(session: Session): Flow {
    const flow: Flow = new Flow(
      session,
      (over) =>
        new Answers(over, this.#context.config.consumer, {
          confirmed: (entry, duplicate) => this.#confirmed(entry, duplicate, flow),
          refused: (entry, error) => this.#refused(entry, error, flow),
        }),
    );
    return flow;
  }

  /** Sends until something fails, or until the worker is stopped and what it sent is confirmed. */
  async #sendOver(flow: Flow, signal: AbortSignal, end: AbortSignal): Promise<void> {
    try {
      await this.#flow(flow, AbortSignal.any([signal, flow.signal]));
    } catch (error) {
      if (!signal.aborted && !flow.signal.aborted) throw error;
    }
    if (!flow.signal.aborted) await this.#settle(flow, end);
    if (flow.signal.aborted) await this.#recover(flow, end);
    end.throwIfAborted();
  }

  /** Sends what is left of earlier, then what comes. @throws when the flow has failed, or with the worker's end */
  async #flow(flow: Flow, signal: AbortSignal): Promise<never> {
    for (const entry of this.#window.waiting) this.#send(entry, flow);
    for (;;) {
      // Not for each that leaves: to send one by one would take a system call for each.
      while (!this.#window.hasRoomFor(BATCH)) await orAborted(this.#window.left(), signal);
      const messages = await this.#inq.getMany(Math.min(BATCH, this.#window.free), signal);
      for (const message of messages) this.#send(this.#window.add(message), flow);
      signal.throwIfAborted();
    }
  }

  /** Waits until what is on its way has arrived. */
  async #settle(flow: Flow, end: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([end, flow.signal]);
    while (this.#window.size > 0 && !signal.aborted) {
      await orAborted(this.#window.left(), signal).catch(() => undefined);
    }
  }

  /** A lost connection is the link's to report; anything else hinders publishing alone. */
  async #recover(flow: Flow, end: AbortSignal): Promise<void> {
    if (flow.session.signal.aborted) return;
    const text = failureText(flow.signal.reason);
    this.#link.hinder(`publishing waits: ${text}`);
    this.#reports.trouble(text);
    await this.#backoff.pause(end).catch(() => undefined);
  }

  #send(entry: Entry, flow: Flow): void {
    const { message, bytes } = entry;
    if (bytes.length + message.id.length + HEADER_BYTES > flow.session.info.max_payload) {
      this.#giveUp(entry, "too_large_for_server", flow);
      return;
    }
    flow.answers.send(entry);
  }

  #confirmed(entry: Entry, duplicate: boolean, flow: Flow): void {
    if (entry.isDone) return;
    // Answers come in the order of the stream: an older message was lost on the way, and what follows must not overtake it.
    const overtook = entry !== this.#window.oldest && !duplicate;
    this.#done(entry);
    if (overtook) flow.fail(new Error("a message was lost on the way to the stream; it is sent again"));
    else if (!flow.signal.aborted) this.#works();
  }

  #refused(entry: Entry, error: unknown, flow: Flow): void {
    if (entry.isDone) return;
    if (apiCode(error) === API.messageTooLarge) this.#giveUp(entry, "too_large_for_stream", flow);
    else if (error instanceof errors.InvalidArgumentError) this.#giveUp(entry, "not_publishable", flow);
    else flow.fail(error);
  }

  /** The stream will never take this message: it must not hold up the others. */
  #giveUp(entry: Entry, reason: string, { session }: Flow): void {
    const { message, bytes } = entry;
    const limit = session.info.max_payload;
    this.#reports.unsent(reason, `${message.type} of ${bytes.length} bytes; max_payload of the server is ${limit}`);
    this.#done(entry);
  }

  #done(entry: Entry): void {
    const count = this.#window.finish(entry);
    if (count > 0) this.#inq.taskDone(count);
  }

  #works(): void {
    this.#backoff.reset();
    this.#link.hinder(undefined);
  }

  /** The bus counts them: they are unanswered in the inq. */
  #sayUnfinished(): void {
    const fields = { count: this.#window.size };
    this.#reports.logger.warn(fields, "stopped before the stream confirmed these messages; it may have some of them");
  }
}

/** Sending over one session until something fails. */
class Flow {
  readonly session: Session;
  readonly answers: Answers;
  readonly #failed = new AbortController();
  /** Aborted when something failed, or the session is over. */
  readonly signal: AbortSignal;

  constructor(session: Session, answersOver: (session: Session) => Answers) {
    this.session = session;
    this.answers = answersOver(session);
    this.signal = AbortSignal.any([this.#failed.signal, session.signal]);
  }

  fail(reason: unknown): void {
    this.#failed.abort(reason);
  }
}

/** Aborted so many milliseconds after `signal`. */
function patienceAfter(signal: AbortSignal, milliseconds: number): AbortSignal {
  const end = new AbortController();
  const begin = () => {
    setTimeout(() => end.abort(signal.reason), milliseconds).unref();
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  return end.signal;
}
