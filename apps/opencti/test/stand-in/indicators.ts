/** Indicators as OpenCTI sends them (spec/opencti.md 1.6). */
import { randomUUID } from "node:crypto";
import { OPENCTI_EXTENSION, type StixData } from "./state.ts";

export interface OpenctiIndicator {
  readonly id?: string;
  /** A domain name. */
  readonly value?: string;
  /** `true` by default; some versions write a text. */
  readonly detection?: unknown;
  readonly modified?: string;
  readonly creators?: readonly string[];
  readonly members?: Readonly<Record<string, unknown>>;
}

export function openctiIndicator(options: OpenctiIndicator = {}): StixData {
  const { id = `indicator--${randomUUID()}`, value = "evil.example", modified = "2024-06-10T06:30:02.500Z" } = options;
  return {
    id,
    spec_version: "2.1",
    type: "indicator",
    extensions: {
      [OPENCTI_EXTENSION]: {
        extension_type: "property-extension",
        id: randomUUID(),
        type: "Indicator",
        created_at: "2024-06-10T06:13:20.000Z",
        updated_at: modified,
        stix_ids: ["indicator--6b1f3f4e-2d0a-4c55-9f0e-1f2a3b4c5d6e"],
        is_inferred: false,
        creator_ids: options.creators ?? ["88ec0c6a-13ce-5e39-b486-354fe4a7084f"],
        detection: "detection" in options ? options.detection : true,
        score: 80,
        main_observable_type: "Domain-Name",
        observable_values: [{ type: "Domain-Name", value }],
      },
      "extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b": { extension_type: "property-extension" },
    },
    created: "2024-06-10T06:13:20.000Z",
    modified,
    revoked: false,
    confidence: 75,
    lang: "en",
    labels: ["c2"],
    object_marking_refs: ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],
    created_by_ref: "identity--7b82b010-b1c0-4dae-981f-7756374a17df",
    name: value,
    indicator_types: ["malicious-activity"],
    pattern: `[domain-name:value = '${value}']`,
    pattern_type: "stix",
    valid_from: "2024-06-10T06:13:20.000Z",
    valid_until: "2094-06-10T06:13:20.000Z",
    ...options.members,
  };
}
