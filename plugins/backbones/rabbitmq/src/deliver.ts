/** From this instance's queue to the outqs: a message is acknowledged when every outq that it belongs to has it. */
import { EventEmitter, once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type BackboneContext,
  createMessageFactory,
  type DropReport,
  type Message,
  type Router,
  StoppableWorker,
} from "@threatbus/core";
import { BodyDecoder, bytesOf, type Delivery, messageIdOf } from "./decode.ts";
import type { Link } from "./link.ts";
import type { RabbitmqOptions } from "./options.ts";
import { RedeliveredIds } from "./redelivered.ts";
import { type Session, untilAborted } from "./session.ts";

/** Messages delivered and acknowledged at once. */
const BATCH = 256;
/** Milliseconds of decoding after which sockets and timers get their turn. */
const SLICE = 5;

export interface DeliverParts {
  readonly context: BackboneContext<RabbitmqOptions>;
  readonly link: Link;
  readonly router: Router;
  readonly drops: DropReport;
  /** Resolves with the first subscription: until then messages wait at the broker. */
  readonly subscribed: Promise<void>;
}

export class DeliverWorker extends StoppableWorker {
  readonly #parts: DeliverParts;
  readonly #decoder: BodyDecoder;
  readonly #redelivered: RedeliveredIds;

  constructor(parts: DeliverParts) {
    super("rabbitmq-deliver", parts.context);
    this.#parts = parts;
    const { max_message_bytes, prefetch } = parts.context.config;
    this.#decoder = new BodyDecoder(createMessageFactory("rabbitmq"), max_message_bytes);
    this.#redelivered = new RedeliveredIds(prefetch);
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    await this.#parts.link.run((session) => this.#use(session, signal), signal);
  }

  async #use(session: Session, stop: AbortSignal): Promise<void> {
    const either = AbortSignal.any([stop, session.signal]);
    const { queue, prefetch } = this.#parts.context.config;
    const incoming: Delivery[] = [];
    const arrivals = new EventEmitter();
    this.#redelivered.beginSession();
    try {
      await untilAborted(this.#parts.subscribed, either);
      await untilAborted(session.channel.basicQos({ prefetchCount: prefetch }), either);
      const take = (delivery: Delivery) => {
        incoming.push(delivery);
        arrivals.emit("arrival");
      };
      await untilAborted(session.channel.basicConsume({ queue: queue.name }, take), either);
      for (;;) {
        while (incoming.length === 0) await once(arrivals, "arrival", { signal: either });
        either.throwIfAborted();
        await this.#deliver(incoming.splice(0, BATCH), session);
      }
    } catch (error) {
      if (!stop.aborted || session.signal.aborted) throw error;
    }
  }

  /** Carried to its end when the worker is stopped meanwhile; what is not acknowledged goes to the next session. */
  async #deliver(deliveries: readonly Delivery[], session: Session): Promise<void> {
    const { context, router } = this.#parts;
    const messages = await context.accept(await this.#decode(deliveries));
    await router.deliverWithRoom(messages);
    const last = deliveries.at(-1);
    if (last === undefined || !session.channel.active) return;
    session.channel.basicAck({ deliveryTag: last.deliveryTag, multiple: true });
  }

  async #decode(deliveries: readonly Delivery[]): Promise<Message[]> {
    const messages: Message[] = [];
    let turnBegan = performance.now();
    for (const delivery of deliveries) {
      const message = this.#read(delivery);
      if (message !== undefined) messages.push(message);
      if (performance.now() - turnBegan < SLICE) continue;
      await nextTurn();
      turnBegan = performance.now();
    }
    return messages;
  }

  #read(delivery: Delivery): Message | undefined {
    const bytes = bytesOf(delivery.body);
    const own = messageIdOf(delivery);
    const again = own === undefined && delivery.redelivered ? this.#redelivered.recall(bytes) : undefined;
    const decoded = this.#decoder.decode(bytes, own ?? again);
    if (!decoded.ok) {
      this.#parts.drops.note(decoded.reason, 1, bytes);
      return undefined;
    }
    if (own === undefined) this.#redelivered.remember(bytes, decoded.value.id);
    return decoded.value;
  }
}
