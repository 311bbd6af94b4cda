import { backboneConformance, MemoryBroker, memoryBackbone } from "../src/index.ts";

backboneConformance("memory", {
  definition: memoryBackbone,
  site: () => {
    const broker = new MemoryBroker();
    return { broker, config: (instance) => ({ broker, instance }) };
  },
});
