/** The backbone inside one process: from the inq straight to the outqs. */

import {
  type BackboneContext,
  type BackbonePlugin,
  type BackbonePluginDefinition,
  DeliverWorker,
  type DeliveryQueue,
  Router,
} from "@threatbus/core";
import { type InmemOptions, inmemSchema } from "./options.ts";

class InmemBackbone implements BackbonePlugin<InmemOptions> {
  readonly #router = new Router();
  #worker: DeliverWorker | undefined;

  async run(context: BackboneContext<InmemOptions>): Promise<void> {
    this.#worker = new DeliverWorker("inmem", context, this.#router);
  }

  async subscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.subscribe(topic, queue);
    // Not before: what is in the inq already would go to nobody.
    this.#worker?.start();
  }

  async unsubscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.unsubscribe(topic, queue);
  }

  async stop(): Promise<void> {
    this.#worker?.stop();
    await this.#worker?.join();
  }
}

const definition: BackbonePluginDefinition<InmemOptions> = {
  kind: "backbone",
  name: "inmem",
  description: "Carries messages inside this process; for a single Threat Bus instance",
  configSchema: inmemSchema,
  deliversOnce: true,
  insideProcess: true,
  create: () => new InmemBackbone(),
};

export default definition;
