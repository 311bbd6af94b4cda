/**
 * Several instances on a NATS cluster of three servers, with three copies of each message. THREATBUS_CHAOS_SECONDS: how
 * long each trouble lasts; without it, as short as it can.
 */
import { after } from "node:test";
import { clusterForTest, natsMissing } from "../../scripts/services/nats-for-tests.ts";
import { chaosTest } from "./support/chaos.ts";
import { clusterTests } from "./support/cluster-tests.ts";
import { natsSite } from "./support/sites.ts";

const reason = await natsMissing();
const site = reason === undefined ? natsSite(await clusterForTest({ after })) : { name: "NATS", missing: reason };

clusterTests(site);
chaosTest(site);
