/** A broker inside the process that can be killed, and a backbone for it: the suite's own tests of its broker part. */
import {
  type BackboneContext,
  type BackbonePlugin,
  type BackbonePluginDefinition,
  type DeliveryQueue,
  JoinableQueue,
  type Message,
  Router,
  StoppableWorker,
} from "@threatbus/core";
import { z } from "zod";
import type { Broker } from "../src/index.ts";

/** Keeps a queue for each instance, through a kill too; what was delivered last before a kill is delivered again. */
export class LoopbackBroker implements Broker {
  readonly #queues = new Map<string, JoinableQueue<Message>>();
  #up = Promise.withResolvers<void>();
  #lastBatch: { readonly queue: JoinableQueue<Message>; readonly messages: readonly Message[] } | undefined;

  constructor() {
    this.#up.resolve();
  }

  async kill(): Promise<void> {
    this.#up = Promise.withResolvers<void>();
    for (const message of this.#lastBatch?.messages ?? []) this.#lastBatch?.queue.tryPut(message);
  }

  async restart(): Promise<void> {
    this.#up.resolve();
  }

  queueOf(instance: string): JoinableQueue<Message> {
    const queue = this.#queues.get(instance) ?? new JoinableQueue<Message>();
    this.#queues.set(instance, queue);
    return queue;
  }

  async publish(messages: readonly Message[], signal: AbortSignal): Promise<void> {
    await this.#whenUp(signal);
    for (const queue of this.#queues.values()) await queue.putMany(messages);
  }

  async consume(queue: JoinableQueue<Message>, signal: AbortSignal): Promise<readonly Message[]> {
    await this.#whenUp(signal);
    const messages = await queue.getMany(64, signal);
    queue.taskDone(messages.length);
    this.#lastBatch = { queue, messages };
    return messages;
  }

  async #whenUp(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#up.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

const configSchema = z.strictObject({ broker: z.custom<LoopbackBroker>(), instance: z.string() });
type LoopbackConfig = z.output<typeof configSchema>;

/** Takes one batch at a time, so that a stop answers for all but what the broker has not got: that goes back. */
class Publisher extends StoppableWorker {
  readonly #context: BackboneContext<LoopbackConfig>;

  constructor(context: BackboneContext<LoopbackConfig>) {
    super("loopback-publish", context);
    this.#context = context;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { inq, config } = this.#context;
    for (;;) {
      const messages = await inq.getMany(64, signal);
      // Not the worker's signal: what was taken is published, whatever happens.
      await config.broker.publish(messages, this.#context.signal);
      inq.taskDone(messages.length);
    }
  }
}

class Consumer extends StoppableWorker {
  readonly #config: LoopbackConfig;
  readonly #router: Router;

  constructor(context: BackboneContext<LoopbackConfig>, router: Router) {
    super("loopback-consume", context);
    this.#config = context.config;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { broker, instance } = this.#config;
    const queue = broker.queueOf(instance);
    for (;;) {
      await this.#router.deliverWithRoom(await broker.consume(queue, signal));
    }
  }
}

class LoopbackBackbone implements BackbonePlugin<LoopbackConfig> {
  readonly #router = new Router();
  #publisher: Publisher | undefined;
  #consumer: Consumer | undefined;

  async run(context: BackboneContext<LoopbackConfig>): Promise<void> {
    context.config.broker.queueOf(context.config.instance);
    this.#consumer = new Consumer(context, this.#router);
    this.#publisher = new Publisher(context);
    this.#publisher.start();
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
    await this.#publisher?.join();
    this.#consumer?.stop();
    await this.#consumer?.join();
  }
}

export const loopback: BackbonePluginDefinition<LoopbackConfig> = {
  kind: "backbone",
  name: "loopback",
  description: "A backbone on a broker inside the process",
  configSchema,
  deliversOnce: false,
  create: () => new LoopbackBackbone(),
};
