/** A backbone on the memory broker of another process. */
import type { BackbonePlugin, BackbonePluginDefinition } from "@threatbus/core";
import { z } from "zod";
import { memoryBackbone } from "./backbone.ts";
import { RemoteBroker } from "./remote.ts";

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

export const remoteBackbone: BackbonePluginDefinition<RemoteConfig> = {
  kind: "backbone",
  name: "remote",
  description: "A backbone on a broker of the test",
  configSchema,
  deliversOnce: false,
  create,
};
