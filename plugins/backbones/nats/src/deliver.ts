/** From the stream to the outqs of this process. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { JsMsg } from "@nats-io/jetstream";
import {
  type BackboneContext,
  createMessageFactory,
  type Message,
  type MessageFactory,
  type Router,
  StoppableWorker,
} from "@threatbus/core";
import { decode } from "./codec.ts";
import type { Link } from "./link.ts";
import type { NatsOptions } from "./options.ts";
import { Reading } from "./reading.ts";
import type { Reports } from "./reports.ts";
import { typeOf } from "./subjects.ts";

/** Messages decoded and delivered at once. */
const BATCH = 256;
/** Milliseconds of decoding after which sockets and timers get their turn. */
const SLICE = 5;
const ID_HEADER = "Nats-Msg-Id";
/** Ids that others may give: printable, without spaces. */
const ID = /^[\x21-\x7e]{1,256}$/;

/**
 * Decodes, enters the durable log, delivers, acknowledges: in that order, so that what is acknowledged is safe. What cannot
 * be decoded is counted and acknowledged, as it would come again for ever.
 */
export class Deliverer extends StoppableWorker {
  readonly #context: BackboneContext<NatsOptions>;
  readonly #link: Link;
  readonly #router: Router;
  readonly #reports: Reports;
  readonly #messages: MessageFactory = createMessageFactory("nats");

  constructor(context: BackboneContext<NatsOptions>, link: Link, router: Router, reports: Reports) {
    super("nats-deliver", context);
    this.#context = context;
    this.#link = link;
    this.#router = router;
    this.#reports = reports;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const session = await this.#link.session(signal);
      const reading = new Reading({ session, options: this.#context.config, reports: this.#reports });
      const over = AbortSignal.any([signal, session.signal]);
      try {
        await reading.open();
        await this.#deliver(reading, over);
      } catch (error) {
        if (!over.aborted) throw error;
      } finally {
        await reading.close();
      }
    }
  }

  async #deliver(reading: Reading, signal: AbortSignal): Promise<never> {
    for (;;) {
      const received = await reading.next(BATCH, signal);
      const messages = await this.#context.accept(await this.#decodeAll(received));
      await this.#router.deliverWithRoom(messages);
      reading.acknowledge(received);
    }
  }

  async #decodeAll(received: readonly JsMsg[]): Promise<readonly Message[]> {
    const messages: Message[] = [];
    let turnBegan = performance.now();
    for (const each of received) {
      const message = this.#decode(each);
      if (message !== undefined) messages.push(message);
      if (performance.now() - turnBegan < SLICE) continue;
      await nextTurn();
      turnBegan = performance.now();
    }
    return messages;
  }

  #decode(received: JsMsg): Message | undefined {
    const type = typeOf(received.subject);
    if (type === undefined) {
      this.#reports.undecodable("unknown_subject", received.subject);
      return undefined;
    }
    // A copy: a view would keep all that came in with it in memory.
    const bytes = Buffer.from(received.data);
    const maxBytes = this.#context.config.max_message_bytes;
    const decoded = decode(type, bytes, idOf(received), { messages: this.#messages, maxBytes });
    if ("message" in decoded) return decoded.message;
    const { reason, detail } = decoded.refused;
    this.#reports.undecodable(reason, Buffer.concat([Buffer.from(`${detail}: `), bytes.subarray(0, 200)]));
    return undefined;
  }
}

/** The message's id; for a message of somebody else one that is the same at every instance and every delivery. */
function idOf(received: JsMsg): string {
  const id = received.headers?.get(ID_HEADER) ?? "";
  if (ID.test(id)) return id;
  const { stream, streamSequence, timestampNanos } = received.info;
  return `${stream}-${streamSequence}-${timestampNanos}`;
}
