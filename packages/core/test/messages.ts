import { type ParsedStix, parseStix } from "@threatbus/stix";
import type { AppPlugin } from "../src/contracts/app-plugin.ts";
import type { IndicatorMessage, Message, SightingMessage } from "../src/contracts/message.ts";
import { createMessageFactory } from "../src/flow/message-factory.ts";

export const factory = createMessageFactory("test");
/** The snapshot id of the vectors. */
export const SNAPSHOT_ID = "b5ad8b52-6b8e-4d4e-9f2a-0a9c9f0f6c11";

const times = { created: "2021-03-04T05:06:07.891Z", modified: "2021-03-05T05:06:07.891Z" };
const INDICATOR = {
  type: "indicator",
  spec_version: "2.1",
  id: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  ...times,
  pattern: "[ipv4-addr:value = '198.51.100.3']",
  pattern_type: "stix",
  valid_from: "2021-03-04T05:06:07Z",
};
const SIGHTING = {
  type: "sighting",
  spec_version: "2.1",
  id: "sighting--df0f9a0e-c3b6-4f53-b0cf-5e9c454ee0cc",
  ...times,
  sighting_of_ref: INDICATOR.id,
};

function parsed(value: object): ParsedStix {
  const result = parseStix(Buffer.from(JSON.stringify(value)));
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

export function indicator(members: object = {}): IndicatorMessage {
  const message = factory.stix(parsed({ ...INDICATOR, ...members }));
  if (message.type !== "indicator") throw new Error("not an indicator");
  return message;
}

export function sighting(members: object = {}): SightingMessage {
  const message = factory.stix(parsed({ ...SIGHTING, ...members }));
  if (message.type !== "sighting") throw new Error("not a sighting");
  return message;
}

export function request(snapshotType: "indicator" | "sighting") {
  return factory.snapshotRequest({ type: "snapshotrequest", snapshotType, snapshotId: SNAPSHOT_ID, seconds: 432_000 });
}

export function envelope(body: ParsedStix, snapshotId = SNAPSHOT_ID) {
  return factory.snapshotEnvelope({ type: "snapshotenvelope", snapshotType: body.type, snapshotId, body });
}

/** The message that a vector names; undefined for objects that the bus never makes messages of. */
export function namedMessage(name: string): Message | undefined {
  switch (name) {
    case "indicator":
      return indicator();
    case "sighting":
      return sighting();
    case "snapshotrequest-indicator":
      return request("indicator");
    case "snapshotrequest-sighting":
      return request("sighting");
    case "snapshotenvelope-indicator":
      return envelope(indicator().stix);
    case "snapshotenvelope-sighting":
      return envelope(sighting().stix);
    default:
      return undefined;
  }
}

/** An app plugin that does nothing but what `members` say. */
export function appPlugin(members: Partial<AppPlugin> = {}): AppPlugin {
  return { run: async () => [], stopIntake: async () => {}, stop: async () => {}, ...members };
}

/** Lets everything go on that waits for nothing but the event loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
