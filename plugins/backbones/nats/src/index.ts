/** The backbone through a NATS JetStream stream: every instance publishes to it, and each reads all of it. */
import {
  type BackboneContext,
  type BackbonePlugin,
  type BackbonePluginDefinition,
  type BackboneState,
  type DeliveryQueue,
  Router,
} from "@threatbus/core";
import { Deliverer } from "./deliver.ts";
import { Link } from "./link.ts";
import { type NatsOptions, natsSchema } from "./options.ts";
import { Publisher } from "./publish.ts";
import { Reports } from "./reports.ts";
import { typesUnder } from "./subjects.ts";

class NatsBackbone implements BackbonePlugin<NatsOptions> {
  readonly #router = new Router();
  #reports: Reports | undefined;
  #link: Link | undefined;
  #publisher: Publisher | undefined;
  #deliverer: Deliverer | undefined;

  get state(): BackboneState {
    return this.#link?.state ?? { ok: false, text: "not started" };
  }

  /** Resolves when the first attempt to connect has succeeded or failed; it goes on for ever. */
  async run(context: BackboneContext<NatsOptions>): Promise<void> {
    const reports = new Reports(context);
    const link = new Link(context, reports);
    this.#reports = reports;
    this.#link = link;
    this.#publisher = new Publisher(context, link, reports);
    this.#deliverer = new Deliverer(context, link, this.#router, reports);
    link.start();
    await link.tried;
  }

  async subscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.subscribe(topic, queue);
    await this.#link?.want(typesUnder(topic));
    // Not before: what is in the inq or in the stream already would go to nobody.
    this.#publisher?.start();
    this.#deliverer?.start();
  }

  async unsubscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.unsubscribe(topic, queue);
  }

  /** What was taken from the inq goes out first; then nothing more is delivered; the connection is closed last. */
  async stop(): Promise<void> {
    for (const worker of [this.#publisher, this.#deliverer, this.#link]) {
      worker?.stop();
      await worker?.join();
    }
    this.#reports?.close();
  }
}

const definition: BackbonePluginDefinition<NatsOptions> = {
  kind: "backbone",
  name: "nats",
  description: "Carries messages through a NATS JetStream stream to every Threat Bus instance at it",
  configSchema: natsSchema,
  deliversOnce: false,
  create: () => new NatsBackbone(),
};

export default definition;
