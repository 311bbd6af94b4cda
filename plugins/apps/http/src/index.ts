import type { AppPluginDefinition } from "@threatbus/core";
import { type HttpOptions, optionsSchema } from "./options.ts";
import { HttpPlugin } from "./plugin.ts";

export type { HttpOptions } from "./options.ts";

const definition: AppPluginDefinition<HttpOptions> = {
  kind: "app",
  name: "http",
  description: "Health and metrics over HTTP",
  configSchema: optionsSchema,
  watchesOnly: true,
  create: () => new HttpPlugin(),
};

export default definition;
