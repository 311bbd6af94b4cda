/** The backbone that shares messages with other instances, those of Threat Bus 2022.5 among them, through RabbitMQ. */
import { readFile } from "node:fs/promises";
import {
  type BackboneContext,
  type BackbonePlugin,
  type BackbonePluginDefinition,
  type BackboneState,
  counter,
  type DeliveryQueue,
  DropReport,
  messageOf,
  Router,
  ThreatBusError,
} from "@threatbus/core";
import { DeliverWorker } from "./deliver.ts";
import { Link } from "./link.ts";
import { optionsSchema, type RabbitmqOptions } from "./options.ts";
import { confirmMode, PublishWorker } from "./publish.ts";
import { type TlsMaterial, untilAborted } from "./session.ts";
import { stateOf } from "./state.ts";
import { declareExchanges, declareQueue } from "./topology.ts";

/** What runs between `run` and `stop`. */
interface Running {
  readonly config: RabbitmqOptions;
  readonly publishing: Link;
  readonly delivering: Link;
  readonly publisher: PublishWorker;
  readonly deliverer: DeliverWorker;
  readonly drops: DropReport;
}

class RabbitmqBackbone implements BackbonePlugin<RabbitmqOptions> {
  readonly #router = new Router();
  readonly #subscribed = Promise.withResolvers<void>();
  #running: Running | undefined;

  async run(context: BackboneContext<RabbitmqOptions>): Promise<void> {
    const { config } = context;
    const running = await this.#prepare(context);
    this.#running = running;
    running.deliverer.start();
    running.publisher.start();
    try {
      await untilAborted(running.delivering.firstAttempt, context.signal);
      if (running.delivering.state.kind === "connected") {
        await untilAborted(running.publishing.firstAttempt, context.signal);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    context.logger.debug({ queue: config.queue.name, exchange: config.exchange_name }, "rabbitmq runs");
  }

  get state(): BackboneState {
    if (this.#running === undefined) return { ok: false, text: "not started" };
    const { delivering, publishing, config } = this.#running;
    return stateOf(delivering.state, publishing.state, config.queue.name);
  }

  async subscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.subscribe(topic, queue);
    this.#subscribed.resolve();
  }

  async unsubscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.unsubscribe(topic, queue);
  }

  /** The publisher first: what it has sent may still be delivered here. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    const { publisher, deliverer, drops } = this.#running;
    publisher.stop();
    await publisher.join();
    deliverer.stop();
    await deliverer.join();
    drops.flush();
  }

  async #prepare(context: BackboneContext<RabbitmqOptions>): Promise<Running> {
    const { config: options, logger } = context;
    const tls = await readTls(options);
    const dropped = counter(context.metrics, "threatbus_messages_dropped_total");
    const drops = new DropReport({
      logger,
      counter: { inc: ({ reason }, count) => dropped.inc({ component: "rabbitmq", reason }, count) },
    });
    const queueDeclared = Promise.withResolvers<void>();
    const delivering = new Link({
      options,
      tls,
      logger,
      role: "deliver",
      prepare: async ({ channel }, signal) => {
        await untilAborted(declareExchanges(channel, options), signal);
        await untilAborted(declareQueue(channel, options), signal);
        queueDeclared.resolve();
      },
    });
    const publishing = new Link({
      options,
      tls,
      logger,
      role: "publish",
      prepare: async (session, signal) => {
        await untilAborted(declareExchanges(session.channel, options), signal);
        // What is sent before this instance's queue is there would not come back to its own subscribers. It may have gone
        // with a broker that was killed; an exclusive one belongs to the other connection.
        if (options.queue.exclusive) await untilAborted(queueDeclared.promise, signal);
        else await untilAborted(declareQueue(session.channel, options), signal);
        await confirmMode(session, signal);
      },
    });
    return {
      config: options,
      delivering,
      publishing,
      drops,
      publisher: new PublishWorker({ context, link: publishing, drops }),
      deliverer: new DeliverWorker({
        context,
        link: delivering,
        router: this.#router,
        drops,
        subscribed: this.#subscribed.promise,
      }),
    };
  }
}

/** @throws ThreatBusError that names the setting of a file that cannot be read */
async function readTls({ tls }: RabbitmqOptions): Promise<TlsMaterial | undefined> {
  if (tls === undefined) return undefined;
  const read = async (name: "ca" | "cert" | "key") => {
    const file = tls[name];
    if (file === undefined) return {};
    try {
      return { [name]: await readFile(file) };
    } catch (cause) {
      const message = `plugins.backbones.rabbitmq.tls.${name} cannot be read: ${messageOf(cause)}`;
      throw new ThreatBusError("TB_BACKBONE_FAILED", message, { cause });
    }
  };
  return Object.assign({}, await read("ca"), await read("cert"), await read("key"));
}

const definition: BackbonePluginDefinition<RabbitmqOptions> = {
  kind: "backbone",
  name: "rabbitmq",
  description: "Shares messages with other instances through RabbitMQ, also with those of Threat Bus 2022.5",
  configSchema: optionsSchema,
  deliversOnce: false,
  create: () => new RabbitmqBackbone(),
};

export default definition;
