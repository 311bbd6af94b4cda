import { backboneConformance } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import nats from "../src/index.ts";

if ((await natsMissing()) === undefined) {
  backboneConformance("nats", {
    definition: nats,
    site: async (t) => {
      const server = await natsForTest(t);
      return {
        broker: server,
        config: (instance) => ({ servers: server.url, instance, max_bytes: "1GiB", ack_wait: "2s" }),
      };
    },
  });
}
