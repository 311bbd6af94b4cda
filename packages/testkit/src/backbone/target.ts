/** What a backbone tells the suite about itself. */
import type { TestContext } from "node:test";
import type { BackbonePluginDefinition } from "@threatbus/core";

/** What only backbones with a broker can do. */
export const CAPABILITIES = [
  "start while the broker is down",
  "survive a restart of the broker",
  "several instances",
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** A broker that belongs to one test. */
export interface Broker {
  /** Kills it; what it keeps on disk stays. */
  kill(): Promise<void>;
  /** Starts it again where it was; resolves when it accepts connections. */
  restart(): Promise<void>;
}

/** Where the instances of one test meet. */
export interface Site {
  /** The settings of one instance, before the plugin's schema has seen them. */
  config(instance: string): unknown;
  readonly broker?: Broker;
}

export interface BackboneTarget<Config> {
  readonly definition: BackbonePluginDefinition<Config>;
  /** Makes a place that no other test uses, and cleans it up with `t.after`. */
  site(t: TestContext): Promise<Site> | Site;
  /** Reason for each capability that does not apply; all others are tested. */
  readonly lacks?: Readonly<Partial<Record<Capability, string>>>;
  /** Size of the largest message, in bytes; default 10 MiB. */
  readonly maxBytes?: number;
}

export const IN_PROCESS = Object.fromEntries(
  CAPABILITIES.map((capability) => [capability, "it works inside one process, without a broker"]),
) as Readonly<Record<Capability, string>>;
