import { createHash } from "node:crypto";
import { timestampMicros } from "@threatbus/stix";
import { z } from "zod";

/** What decides whether an indicator of OpenCTI is wanted on the bus. */
export interface IndicatorFacts {
  readonly id: string;
  /** OpenCTI's flag for detection. */
  readonly detection: boolean;
  readonly revoked: boolean;
  /** `valid_until` has passed. */
  readonly expired: boolean;
  /** Ids of the users that made it in OpenCTI. */
  readonly creators: readonly string[];
}

/** Extension of OpenCTI for its own properties. */
const OPENCTI_EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba";
const INDICATOR_ID = /^indicator--[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const DIGEST_BYTES = 8;

const extensionSchema = z.object({
  detection: z.unknown(),
  creator_ids: z.array(z.string()).catch([]),
});
const extensionsSchema = z.object({ [OPENCTI_EXTENSION]: extensionSchema.optional().catch(undefined) });

/** Whether an id is that of an indicator, in the form of the standard. */
export function isIndicatorId(id: unknown): id is string {
  return typeof id === "string" && INDICATOR_ID.test(id);
}

/** @returns undefined for what is no indicator with an id of the standard's form */
export function readIndicator(data: Readonly<Record<string, unknown>>, now: number): IndicatorFacts | undefined {
  const { id } = data;
  if (data.type !== "indicator" || !isIndicatorId(id)) return undefined;
  const extensions = extensionsSchema.safeParse(data.extensions);
  const extension = extensions.success ? extensions.data[OPENCTI_EXTENSION] : undefined;
  const until = typeof data.valid_until === "string" ? Date.parse(data.valid_until) : Number.NaN;
  return {
    id,
    // Without its extension an indicator may still have the property that OpenCTI's own API knows.
    detection: isTrue(extension === undefined ? data.x_opencti_detection : extension.detection),
    revoked: isTrue(data.revoked),
    expired: until <= now,
    creators: extension?.creator_ids ?? [],
  };
}

/** Some versions write a text. */
function isTrue(value: unknown): boolean {
  return value === true || (typeof value === "string" && value.toLowerCase() === "true");
}

/** What is remembered of a STIX object: enough to know it again. */
export function fingerprint(bytes: Buffer, modified: string): { readonly modified: number; readonly digest: Buffer } {
  return {
    modified: Number(timestampMicros(modified)),
    digest: createHash("sha1").update(bytes).digest().subarray(0, DIGEST_BYTES),
  };
}
