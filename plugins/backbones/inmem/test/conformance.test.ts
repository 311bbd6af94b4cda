import { backboneConformance, IN_PROCESS } from "@threatbus/testkit";
import inmem from "../src/index.ts";

backboneConformance("inmem", { definition: inmem, site: () => ({ config: () => ({}) }), lacks: IN_PROCESS });
