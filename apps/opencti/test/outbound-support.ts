/** Objects of the bus, and a delivery of them to a stand-in. */
import type { TestContext } from "node:test";
import { RecordingLogger } from "@threatbus/testkit";
import { Loops } from "../src/loops.ts";
import { Delivery, type DeliverySettings } from "../src/outbound/delivery.ts";
import { type GraphqlSite, type SiteOptions, startSite } from "./graphql-support.ts";
import { internalId, marksOf } from "./stand-in/graphql-entities.ts";
import type { StixData } from "./stand-in/state.ts";

const SETTINGS: DeliverySettings = {
  connector: { entity_name: "Threat Bus", entity_description: "Sensors.", confidence_level: 15 },
  outbound: { on_remove: "revoke", create_indicators: true },
};
export const PLACEHOLDER = "note--00000000-0000-4000-8000-000000000000";

export interface DeliverySite extends GraphqlSite {
  readonly delivery: Delivery;
  readonly loops: Loops;
  readonly logger: RecordingLogger;
  /** Makes an indicator in OpenCTI, by another user than ours. */
  known(pattern: string, input?: Readonly<Record<string, unknown>>): StixData;
  sightings(): StixData[];
  fields(): string[];
}

export async function startDelivery(
  t: TestContext,
  options: SiteOptions & { readonly outbound?: Partial<DeliverySettings["outbound"]> } = {},
): Promise<DeliverySite> {
  const site = await startSite(t, options);
  const loops = new Loops();
  const logger = new RecordingLogger();
  const settings = { ...SETTINGS, outbound: { ...SETTINGS.outbound, ...options.outbound } };
  const delivery = new Delivery({ api: site.api, loops, logger, settings });
  const known = (pattern: string, input = {}) => addIndicator(site, pattern, input);
  await delivery.prepare(site.signal);
  site.calls.length = 0;
  const sightings = () => [...site.state.sightings.values()];
  return { ...site, delivery, loops, logger, known, sightings, fields: () => site.calls.map(({ field }) => field) };
}

/** An indicator that OpenCTI has already. */
export function addIndicator(
  { entities }: Pick<GraphqlSite, "entities">,
  pattern: string,
  input: Readonly<Record<string, unknown>> = {},
): StixData {
  const analyst = { id: "8a4f0e52-95e2-4a0c-8a3e-3d9b3c8f7f10", token: "", capabilities: ["BYPASS"] };
  const times = { valid_from: "2024-01-01T00:00:00.000Z", modified: "2024-01-01T00:00:00.000Z" };
  const all = { name: "known", pattern, pattern_type: "stix", update: true, ...times, ...input };
  return entities.addIndicator(all, analyst);
}

export { internalId, marksOf };
