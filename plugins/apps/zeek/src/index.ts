import type { AppPluginDefinition } from "@threatbus/core";
import { optionsSchema, type ZeekOptions } from "./options.ts";
import { ZeekPlugin } from "./plugin.ts";

export type { ZeekOptions } from "./options.ts";

const definition: AppPluginDefinition<ZeekOptions> = {
  kind: "app",
  name: "zeek",
  description: "Zeek instances, over Broker or WebSocket",
  configSchema: optionsSchema,
  create: () => new ZeekPlugin(),
};

export default definition;
