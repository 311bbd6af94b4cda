import { port } from "@threatbus/core";
import { z } from "zod";

/** What stands under `plugins.apps.http` in the configuration. */
export const optionsSchema = z
  .strictObject({
    host: z.string().min(1).max(255).default("127.0.0.1").describe("Address to listen on; `*` means all addresses."),
    port: port(13_379).describe("Port of `/health` and `/metrics`; 0 means any free port."),
  })
  .transform((options) => Object.freeze(options));

/** The options with all defaults filled in. */
export type HttpOptions = z.output<typeof optionsSchema>;

/** The address to listen on; `*` stands for all addresses, as with the other app plugins. */
export function bindHost(host: string): string {
  return host === "*" ? "0.0.0.0" : host;
}
