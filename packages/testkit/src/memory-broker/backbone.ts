/** A backbone on a memory broker: what every backbone with a broker does, and nothing else. */
import {
  type BackboneContext,
  type BackbonePlugin,
  type BackbonePluginDefinition,
  type BackboneState,
  type DeliveryQueue,
  Router,
  StoppableWorker,
} from "@threatbus/core";
import { z } from "zod";
import { type BrokerLink, ConnectionLost } from "./broker.ts";
import { fromWire, toWire } from "./wire.ts";

const BATCH = 64;

const configSchema = z.strictObject({ broker: z.custom<BrokerLink>(), instance: z.string() });
export type MemoryBackboneConfig = z.output<typeof configSchema>;

/** Takes one batch at a time, and answers for it when the broker has confirmed it. */
class Publisher extends StoppableWorker {
  readonly #context: BackboneContext<MemoryBackboneConfig>;

  constructor(context: BackboneContext<MemoryBackboneConfig>) {
    super("memory-publish", context);
    this.#context = context;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { inq, config } = this.#context;
    const { broker, instance } = config;
    for (;;) {
      const messages = await inq.getMany(BATCH, signal);
      const wire = messages.map((message) => toWire(message, instance));
      // When it is stopped, what the broker has not confirmed stays unanswered.
      await publish(broker, wire, signal);
      inq.taskDone(messages.length);
    }
  }
}

/** What was not confirmed is published again: the broker may have it twice then, under one id. */
async function publish(broker: BrokerLink, ...what: Parameters<BrokerLink["publish"]>): Promise<void> {
  for (;;) {
    try {
      await broker.publish(...what);
      return;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }
}

class Consumer extends StoppableWorker {
  readonly #context: BackboneContext<MemoryBackboneConfig>;
  readonly #router: Router;

  constructor(context: BackboneContext<MemoryBackboneConfig>, router: Router) {
    super("memory-deliver", context);
    this.#context = context;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { config, accept } = this.#context;
    const { broker, instance } = config;
    for (;;) {
      const wire = await broker.next(instance, BATCH, signal);
      const messages = await accept(wire.map(fromWire));
      await this.#router.deliverWithRoom(messages);
      await broker.acknowledge(instance, wire.length);
    }
  }
}

class MemoryBackbone implements BackbonePlugin<MemoryBackboneConfig> {
  readonly #router = new Router();
  #broker: BrokerLink | undefined;
  #publisher: Publisher | undefined;
  #consumer: Consumer | undefined;

  async run(context: BackboneContext<MemoryBackboneConfig>): Promise<void> {
    this.#broker = context.config.broker;
    await this.#broker.bind(context.config.instance);
    this.#consumer = new Consumer(context, this.#router);
    this.#publisher = new Publisher(context);
    this.#publisher.start();
  }

  get state(): BackboneState {
    return this.#broker?.isUp === true
      ? { ok: true, text: "connected to the memory broker" }
      : { ok: false, text: "the memory broker is down" };
  }

  /** Consumes only when there is somebody to deliver to: the broker keeps what came before. */
  async subscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.subscribe(topic, queue);
    this.#consumer?.start();
  }

  async unsubscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.unsubscribe(topic, queue);
  }

  async stop(): Promise<void> {
    this.#publisher?.stop();
    this.#consumer?.stop();
    await Promise.all([this.#publisher?.join(), this.#consumer?.join()]);
  }
}

export const memoryBackbone: BackbonePluginDefinition<MemoryBackboneConfig> = {
  kind: "backbone",
  name: "memory",
  description: "A backbone on a broker inside the process, for tests",
  configSchema,
  deliversOnce: false,
  create: () => new MemoryBackbone(),
};
