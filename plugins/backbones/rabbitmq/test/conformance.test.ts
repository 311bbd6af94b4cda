import { randomUUID } from "node:crypto";
import { backboneConformance } from "@threatbus/testkit";
import { rabbitmqForTests, rabbitmqMissing } from "../../../../scripts/services/for-tests.ts";
import rabbitmq from "../src/index.ts";

const skip = await rabbitmqMissing();
if (skip === undefined) {
  const broker = await rabbitmqForTests();
  backboneConformance("rabbitmq", {
    definition: rabbitmq,
    site: () => {
      const site = randomUUID();
      return {
        broker,
        config: (instance) => ({
          url: broker.url,
          exchange_name: `exchange-${site}`,
          queue: { name_suffix: `${instance}-${site}` },
          reconnect_max: "500ms",
        }),
      };
    },
  });
}
