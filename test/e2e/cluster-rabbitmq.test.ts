/** Several instances on one RabbitMQ. THREATBUS_CHAOS_SECONDS: how long each trouble lasts; without it, as short as it can. */
import { rabbitmqForTests, rabbitmqMissing } from "../../scripts/services/for-tests.ts";
import { chaosTest } from "./support/chaos.ts";
import { clusterTests } from "./support/cluster-tests.ts";
import { rabbitmqSite } from "./support/sites.ts";

const reason = await rabbitmqMissing();
const site = reason === undefined ? rabbitmqSite(await rabbitmqForTests()) : { name: "RabbitMQ", missing: reason };

clusterTests(site);
chaosTest(site);
