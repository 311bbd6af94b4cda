/** A backbone on a memory broker of the test's process; loaded by a bus through `module`. */
import type { BackbonePlugin, BackbonePluginDefinition } from "@threatbus/core";
import { memoryBackbone, RemoteBroker } from "@threatbus/testkit";
import { z } from "zod";

const configSchema = z.strictObject({ port: z.number(), instance: z.string() });
type RemoteConfig = z.output<typeof configSchema>;

function create(): BackbonePlugin<RemoteConfig> {
  const plugin = memoryBackbone.create();
  let broker: RemoteBroker | undefined;
  return {
    run: async ({ config: { port, instance }, ...context }) => {
      broker = new RemoteBroker(port);
      await plugin.run({ ...context, config: { broker, instance } });
    },
    subscribe: (topic, queue) => plugin.subscribe(topic, queue),
    unsubscribe: (topic, queue) => plugin.unsubscribe(topic, queue),
    stop: async () => {
      await plugin.stop();
      broker?.end();
    },
    get state() {
      return plugin.state ?? { ok: false, text: "not started" };
    },
  };
}

const definition: BackbonePluginDefinition<RemoteConfig> = {
  kind: "backbone",
  name: "remote",
  description: "A backbone on a broker of the test",
  configSchema,
  deliversOnce: false,
  create,
};

export default definition;
