/** A backbone for benchmarks: sends the objects of a file, besides what apps publish. */
import {
  type BackboneContext,
  type BackbonePlugin,
  type BackbonePluginDefinition,
  DeliverWorker,
  type DeliveryQueue,
  Router,
  type StoppableWorker,
} from "@threatbus/core";
import { readInput } from "./input.ts";
import { type FileBenchmarkOptions, fileBenchmarkSchema } from "./options.ts";
import { ReplayWorker } from "./replay.ts";

class FileBenchmarkBackbone implements BackbonePlugin<FileBenchmarkOptions> {
  readonly #router = new Router();
  #workers: readonly StoppableWorker[] = [];

  /** Rejects, before anything is sent, when the file cannot be read or has a bad line. */
  async run(context: BackboneContext<FileBenchmarkOptions>): Promise<void> {
    const objects = await readInput(context.config.input_file, context.logger);
    if (objects.length === 0) context.logger.warn({ input_file: context.config.input_file }, "the file is empty");
    this.#workers = [
      new DeliverWorker("file-benchmark", context, this.#router),
      new ReplayWorker(context, this.#router, objects),
    ];
  }

  async subscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.subscribe(topic, queue);
    // Not before: what is in the inq and in the file would go to nobody.
    for (const worker of this.#workers) worker.start();
  }

  async unsubscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#router.unsubscribe(topic, queue);
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) worker.stop();
    await Promise.all(this.#workers.map((worker) => worker.join()));
  }
}

const definition: BackbonePluginDefinition<FileBenchmarkOptions> = {
  kind: "backbone",
  name: "file_benchmark",
  description: "Sends the STIX objects of a file, for benchmarks",
  configSchema: fileBenchmarkSchema,
  deliversOnce: false,
  insideProcess: true,
  create: () => new FileBenchmarkBackbone(),
};

export default definition;
