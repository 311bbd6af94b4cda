import type { Client, Publishable, SubscribeOptions, Subscription } from "@threatbus/client";
import type { DropReport, Logger } from "@threatbus/core";
import type { Command as CommandLine } from "commander";
import type { Registry } from "prom-client";
import type { z } from "zod";
import type { Health } from "./health.ts";
import type { SharedSettings } from "./options.ts";

/** What a connector gets at `run`. */
export interface ConnectorContext<Settings extends SharedSettings = SharedSettings> {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** What `GET /health` says. */
  readonly health: Health;
  /** Counts and tells, at most once a second for each reason, what is not delivered: `drops.note("not_json", 1, sample)`. */
  readonly drops: DropReport;
  /** Aborted when the connector has to end. */
  readonly signal: AbortSignal;
  /** For what `publish` and `subscribe` do not do, such as answering snapshot requests. */
  readonly client: Client;
  /**
   * Subscribes as the settings say: `snapshot` days of history the first time, from then on behind the last message that
   * was dealt with (a position file in `state_dir`). The state of the subscription shows in the health, gaps in the log.
   * @param name one for each subscription of a connector, default "bus"; the position file is named after it
   */
  subscribe(topics: string | readonly string[], options?: SubscribeOptions & { readonly name?: string }): Subscription;
  /**
   * Resolves when the bus has accepted all of them, as safely as it promises; waits for a bus that is away, and sends
   * them again when a connection breaks before (at least once, in order).
   * @throws ClientError INVALID_OBJECT (none of them was sent), CLIENT_CLOSED, REQUEST_REFUSED or BAD_REPLY (the bus refuses
   * the subscription for receipts, as one with too many does); the signal's reason
   */
  publish(objects: readonly Publishable[], signal?: AbortSignal): Promise<void>;
  /**
   * Does long work: `run` lasts until its signal aborts. One that throws is logged and counted, makes the connector
   * unhealthy, and starts again after 1 s to 60 s; one that returns before is done.
   */
  work(name: string, run: (signal: AbortSignal) => Promise<void>): void;
  /** A file in `state_dir`, which is made if it is missing. */
  stateFile(name: string): string;
}

/** A command of its own: `threatbus-opencti replay dead-letters.jsonl`. */
export interface ConnectorCommand<Settings extends SharedSettings = SharedSettings> {
  /** Name, arguments, options and description. */
  readonly define: (command: CommandLine) => void;
  readonly name: string;
  /** Gets the settings, and the arguments and options as commander parsed them. */
  readonly run: (settings: Settings, args: readonly string[], options: Record<string, unknown>) => Promise<void>;
}

/** One connector. `runProgram` makes the program `threatbus-<name>` of it. */
export interface ConnectorDefinition<Settings extends SharedSettings = SharedSettings> {
  /** `vast`: the program is threatbus-vast. */
  readonly name: string;
  readonly description: string;
  /** The package.json of the connector, for `--version`. */
  readonly manifest: URL;
  /** Environment variables that are settings begin with it: `VAST_THREATBUS_`. */
  readonly variablePrefix: string;
  /** Variables with names of their own, and the setting that each stands for: `{ OPENCTI_URL: ["opencti", "url"] }`. */
  readonly variableAliases?: Readonly<Record<string, readonly string[]>>;
  /** The whole configuration file: `z.strictObject({ ...sharedSettings({ httpPort: 13381 }), ... })`. */
  readonly settingsSchema: z.ZodType<Settings>;
  readonly commands?: readonly ConnectorCommand<Settings>[];
  /**
   * Begins the work and resolves when the connector is ready for it; rejecting ends the program with exit code 1.
   * @returns what is to be done at the end, after all workers have ended and before the client closes
   */
  run(context: ConnectorContext<Settings>): Promise<(() => Promise<void>) | undefined>;
}
