/**
 * A backbone on a memory broker of its own, for a bus in a process of its own (`module`). The signal SIGUSR2 takes the broker
 * away, and the next one brings it back.
 */
import type { BackbonePlugin, BackbonePluginDefinition } from "@threatbus/core";
import { anyConfig, MemoryBroker, memoryBackbone } from "@threatbus/testkit";

function create(): BackbonePlugin {
  const plugin = memoryBackbone.create();
  const broker = new MemoryBroker();
  process.on("SIGUSR2", () => void (broker.isUp ? broker.kill() : broker.restart()));
  return {
    run: (context) => plugin.run({ ...context, config: { broker, instance: "only" } }),
    subscribe: (topic, queue) => plugin.subscribe(topic, queue),
    unsubscribe: (topic, queue) => plugin.unsubscribe(topic, queue),
    stop: () => plugin.stop(),
    get state() {
      return plugin.state ?? { ok: false, text: "not started" };
    },
  };
}

const definition: BackbonePluginDefinition = {
  kind: "backbone",
  name: "moody",
  description: "A backbone whose broker comes and goes",
  configSchema: anyConfig,
  deliversOnce: false,
  create,
};
export default definition;
