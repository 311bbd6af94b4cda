import type { AppPluginDefinition } from "@threatbus/core";
import { optionsSchema, type ZmqOptions } from "./options.ts";
import { ZmqPlugin } from "./plugin.ts";

export type { ZmqOptions } from "./options.ts";

const definition: AppPluginDefinition<ZmqOptions> = {
  kind: "app",
  name: "zmq",
  description: "Apps connected over ZeroMQ",
  configSchema: optionsSchema,
  create: () => new ZmqPlugin(),
};

export default definition;
