import type { Registry } from "prom-client";
import type { ZodType } from "zod";
import type { Logger } from "./logger.ts";
import type { Message } from "./message.ts";
import type { DeliveryQueue, Source } from "./queues.ts";

/** What a backbone plugin gets at `run`. */
export interface BackboneContext<Config = unknown> {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly signal: AbortSignal;
  /** This backbone's view of the inq: with several backbones each sees every message. */
  readonly inq: Source<Message>;
  /**
   * Takes messages that did not come out of the inq; to be awaited before they are delivered. With a durable log they are
   * then in it and have positions, and are as safe as it promises, so that the broker may forget all of them when those
   * that were returned are delivered.
   *
   * Returns those that are to be delivered, in the same order: without those that were accepted before, from this broker
   * or from another backbone. They have to be delivered before the next are accepted, also when the connection they came
   * over is gone meanwhile: they are not returned again, and with several backbones the others wait for that, some
   * seconds at most.
   */
  accept(messages: readonly Message[]): Promise<readonly Message[]>;
}

/** How the way to the broker is, for the ready line, the health and the metrics. */
export interface BackboneState {
  readonly ok: boolean;
  /** `connected to 127.0.0.1:5672, queue threatbus.sensor1`, or why it is not; never a secret. */
  readonly text: string;
}

/**
 * Moves messages from the inq to the outqs: inside this process, or through a broker to every instance.
 * Life cycle: `run` once; then `subscribe` and `unsubscribe` in any order; `stop` when the bus goes down.
 */
export interface BackbonePlugin<Config = unknown> {
  /** Resolves when the backbone can be subscribed to (or when it has begun to reconnect for ever, which health shows). */
  run(context: BackboneContext<Config>): Promise<void>;
  /**
   * Every later message whose topic starts with `topic` is offered to `queue`, once even if several of its topics match.
   * Called only after `run` has resolved. Delivery begins with the first call: until then messages wait in the inq or in
   * the broker, since nobody would get them. Subscribing twice to one topic is the same as once.
   */
  subscribe(topic: string, queue: DeliveryQueue): Promise<void>;
  /**
   * Takes back exactly that topic of that queue; nothing happens when it is not subscribed. Also called after `stop`,
   * when the last apps go.
   */
  unsubscribe(topic: string, queue: DeliveryQueue): Promise<void>;
  /**
   * Called when the inq is empty or the drain time is over; again is the same as once. Nothing taken from the inq may be
   * lost: hand over or count.
   */
  stop(): Promise<void>;
  /** Where there is a broker: how the way to it is now. */
  readonly state?: BackboneState;
}

/** What the module of a backbone plugin exports as `default`. */
export interface BackbonePluginDefinition<Config = unknown> {
  readonly kind: "backbone";
  readonly name: string;
  readonly description: string;
  readonly configSchema: ZodType<Config>;
  /** True when it can never deliver a message twice: a lone such backbone spares the outqs their memory of ids. */
  readonly deliversOnce: boolean;
  /**
   * True when everything in the inq is delivered to this process's outqs, in its order. Where that is so for every
   * backbone, messages enter the durable log as they are accepted into the inq; else when they are delivered (`accept`;
   * what such a backbone takes from the inq has a position then), and until brokers have them they are in its outbox.
   */
  readonly insideProcess?: boolean;
  create(): BackbonePlugin<Config>;
}
