/** From the inq to the exchange: a message is answered for when the broker has confirmed it. */
import { EventEmitter, once } from "node:events";
import {
  type BackboneContext,
  type DropReport,
  type Logger,
  type Message,
  type Source,
  StoppableWorker,
} from "@threatbus/core";
import { AMQPError } from "rabbitmq-client";
import type { Link } from "./link.ts";
import { durableExchange, type RabbitmqOptions } from "./options.ts";
import { type Session, untilAborted } from "./session.ts";

/** Messages taken from the inq at once. */
const BATCH = 256;
/** What may be unconfirmed at one time; a larger message goes alone. */
const MAX_UNCONFIRMED_BYTES = 16 * 2 ** 20;
/** Bytes written together: less than what a socket holds before it asks to wait (64 KiB). */
const WRITE_BYTES = 32 * 2 ** 10;
/** What a message takes beside its body, about: the frames around it, its properties. */
const FRAMING_BYTES = 200;
/** Milliseconds that `stop` gives the broker to confirm what is on its way. */
const STOP_PATIENCE = 2_000;

/** One message that was taken from the inq and not answered for. */
interface Pending {
  readonly id: string;
  readonly body: Buffer;
  confirmed: boolean;
}

export interface PublishParts {
  readonly context: BackboneContext<RabbitmqOptions>;
  readonly link: Link;
  readonly drops: DropReport;
}

export class PublishWorker extends StoppableWorker {
  readonly #inq: Source<Message>;
  readonly #link: Link;
  readonly #drops: DropReport;
  readonly #logger: Logger;
  readonly #options: RabbitmqOptions;
  /** In the order of the inq. Those at its end may not have been sent yet. */
  readonly #window: Pending[] = [];
  #sent = 0;
  #sentBytes = 0;
  readonly #changes = new EventEmitter();
  /** So many are sent one at a time, to find the one for which the broker closes the channel. */
  #suspects = 0;
  #session: Session | undefined;

  constructor({ context, link, drops }: PublishParts) {
    super("rabbitmq-publish", context);
    this.#inq = context.inq;
    this.#link = link;
    this.#drops = drops;
    this.#logger = context.logger;
    this.#options = context.config;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#link.run((session) => this.#use(session, signal), signal);
    } finally {
      if (signal.aborted) this.#sayUnconfirmed();
    }
  }

  /** Everything that is not confirmed is sent first: it was taken before all that follows. */
  async #use(session: Session, stop: AbortSignal): Promise<void> {
    const either = AbortSignal.any([stop, session.signal]);
    this.#session = session;
    this.#sent = 0;
    this.#sentBytes = 0;
    try {
      for (;;) {
        await this.#sendWindow(session, either);
        const messages = await this.#inq.getMany(BATCH, either);
        for (const { id, bytes } of messages) this.#window.push({ id, body: bytes, confirmed: false });
      }
    } catch (error) {
      if (!stop.aborted || session.signal.aborted) throw error;
    }
    await this.#flush(session);
  }

  /** The last of what was taken, when nothing more is. */
  async #flush(session: Session): Promise<void> {
    const limit = AbortSignal.any([session.signal, AbortSignal.timeout(STOP_PATIENCE)]);
    try {
      await this.#sendWindow(session, limit);
      while (this.#window.length > 0) await once(this.#changes, "change", { signal: limit });
    } catch (error) {
      if (!limit.aborted) throw error;
    }
  }

  async #sendWindow(session: Session, signal: AbortSignal): Promise<void> {
    for (;;) {
      while (this.#next !== undefined) session.together(() => this.#sendSome(session));
      if (this.#sent >= this.#window.length) return;
      do {
        signal.throwIfAborted();
        await once(this.#changes, "change", { signal });
      } while (!this.#hasRoom());
    }
  }

  /** What may be sent now, if anything. */
  get #next(): Pending | undefined {
    const pending = this.#window[this.#sent];
    return pending !== undefined && this.#mayFollow(pending) ? pending : undefined;
  }

  #sendSome(session: Session): void {
    let room = WRITE_BYTES;
    for (let pending = this.#next; pending !== undefined && room > 0; pending = this.#next) {
      room -= pending.body.length + FRAMING_BYTES;
      this.#send(pending, session);
    }
  }

  /** Confirmations come one by one: to send one message for each would take a system call for each. */
  #hasRoom(): boolean {
    const { max_unconfirmed } = this.#options;
    return this.#sent <= max_unconfirmed - Math.min(BATCH, Math.ceil(max_unconfirmed / 4));
  }

  #mayFollow({ body }: Pending): boolean {
    if (this.#sent === 0) return true;
    if (this.#suspects > 0 || this.#sent >= this.#options.max_unconfirmed) return false;
    return this.#sentBytes + body.length <= MAX_UNCONFIRMED_BYTES;
  }

  #send(pending: Pending, session: Session): void {
    this.#sent += 1;
    this.#sentBytes += pending.body.length;
    if (pending.confirmed) {
      this.#answer();
      return;
    }
    const properties = {
      exchange: durableExchange(this.#options.exchange_name),
      routingKey: "",
      messageId: pending.id,
      contentType: "application/json",
      // The client reads JSON itself, and loses the bytes that were published, unless an encoding is named.
      contentEncoding: "utf-8",
      durable: true,
    };
    session.channel.basicPublish(properties, pending.body).then(
      () => this.#confirm(pending, session),
      (error: unknown) => this.#refused(error, session),
    );
  }

  #confirm(pending: Pending, session: Session): void {
    // Sent again on a later session, which will confirm it too.
    if (session !== this.#session) return;
    pending.confirmed = true;
    this.#answer();
  }

  /** Confirmations may come out of order; the inq wants the oldest first. */
  #answer(): void {
    let count = 0;
    while (count < this.#sent && this.#window[count]?.confirmed === true) count += 1;
    if (count === 0) return;
    for (const { body } of this.#window.splice(0, count)) this.#sentBytes -= body.length;
    this.#sent -= count;
    this.#suspects = Math.max(0, this.#suspects - count);
    this.#inq.taskDone(count);
    this.#changes.emit("change");
  }

  /**
   * The session is over, and everything that was not confirmed goes out again. Reply code 406 says that the broker does
   * not take one of the messages (larger than its max_message_size), not which: sent one by one, it is found and dropped.
   */
  #refused(error: unknown, session: Session): void {
    if (session === this.#session && error instanceof AMQPError && error.code === "PRECONDITION_FAILED") {
      if (this.#suspects > 0) this.#dropGuilty();
      else this.#suspects = this.#sent;
    }
    session.fail(error);
  }

  /** Only the oldest is on its way: it is the one. */
  #dropGuilty(): void {
    const [guilty] = this.#window;
    if (guilty === undefined) return;
    this.#drops.note("refused_by_broker", 1, guilty.body);
    guilty.confirmed = true;
    this.#answer();
  }

  /** Whether the broker has them is not known. Unanswered, they wait in the durable log, or the bus counts them as lost. */
  #sayUnconfirmed(): void {
    const count = this.#window.length;
    if (count > 0)
      this.#logger.warn({ count }, "stopped before RabbitMQ confirmed these messages; it may have some of them");
  }
}

/** Makes a channel confirm what is published on it. */
export async function confirmMode({ channel }: Session, signal: AbortSignal): Promise<void> {
  await untilAborted(channel.confirmSelect(), signal);
}
