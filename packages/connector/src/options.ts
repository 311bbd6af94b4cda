import { loggingSchema, port } from "@threatbus/core";
import { z } from "zod";

const HOST_AND_PORT = /^(?:tcp:\/\/)?(?:\[[^\]]+\]|[^:[\]/\s]+):(\d{1,5})$/;

function isEndpoint(text: string): boolean {
  const port = Number(HOST_AND_PORT.exec(text)?.[1]);
  return port >= 1 && port <= 65_535;
}

/** What every connector can be told. Keys and defaults are those of the apps of Threat Bus 2022.5 where these had them. */
export function sharedSettings(own: { readonly httpPort: number }) {
  const http = z.strictObject({
    host: z.string().min(1).max(253).default("127.0.0.1").describe("Address to listen on."),
    port: port(own.httpPort).describe("Port of `/health` and `/metrics`; 0 takes any free one."),
  });
  return {
    threatbus: z
      .string()
      .max(300)
      .refine(isEndpoint, "expected host:port, such as localhost:13370 or [::1]:13370")
      .default("localhost:13370")
      .describe("Management endpoint of Threat Bus, `host:port`."),
    snapshot: z
      .int()
      .min(0)
      .max(36_500)
      .default(30)
      .describe("Days of history to ask for the first time, while there is no position in `state_dir`; 0: none."),
    state_dir: z
      .string()
      .min(1)
      .max(4_096)
      .default("data")
      .describe("Directory for what the connector has to remember over a restart."),
    http: z
      .union([z.literal(false), http])
      .prefault({} as z.input<typeof http>)
      .describe("Health and metrics over HTTP; `false` turns them off."),
    logging: loggingSchema.prefault({}).describe("Where log lines go."),
  } as const;
}

const shared = z.strictObject(sharedSettings({ httpPort: 0 }));
/** What `run` can rely on in the settings of any connector. */
export type SharedSettings = z.output<typeof shared>;
