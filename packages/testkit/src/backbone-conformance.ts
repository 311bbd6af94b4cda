import { describe } from "node:test";
import { brokerTests } from "./backbone/broker.ts";
import { flowTests } from "./backbone/flow.ts";
import { routingTests } from "./backbone/routing.ts";
import { slowQueueTests } from "./backbone/slow.ts";
import { stoppingTests } from "./backbone/stopping.ts";
import type { BackboneTarget } from "./backbone/target.ts";

/** Declares the tests that every backbone passes, against `target`. Call it at the top of a test file. */
export function backboneConformance<Config>(name: string, target: BackboneTarget<Config>): void {
  describe(`backbone ${name} conforms`, () => {
    routingTests(target);
    flowTests(target);
    slowQueueTests(target);
    stoppingTests(target);
    brokerTests(target);
  });
}
