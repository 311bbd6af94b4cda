import { backboneConformance } from "../src/index.ts";
import { LoopbackBroker, loopback } from "./loopback-broker.ts";

backboneConformance("loopback", {
  definition: loopback,
  site: () => {
    const broker = new LoopbackBroker();
    return { broker, config: (instance) => ({ broker, instance }) };
  },
});
