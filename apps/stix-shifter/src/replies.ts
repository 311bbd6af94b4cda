/** What STIX-Shifter 8 prints: one JSON text per run, with exit code 0 also for failures. */
import { z } from "zod";

/** `{"success": false, "connector": "splunk", "code": "mapping_error", "error": "..."}` */
export const failureSchema = z.object({
  success: z.literal(false),
  code: z.string().max(100).default("unknown"),
  error: z.unknown().optional(),
});

/** Of `modules`: `{"splunk": {"default": {"language": "stix", "default": true}}}` */
export const modulesSchema = z.record(z.string(), z.unknown());

/** Of `translate <module> query`. Some modules have queries that are objects; the command takes those as JSON text. */
export const queriesSchema = z.object({
  queries: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown()).transform((query) => JSON.stringify(query))]))
    .max(1_000),
});

/** Of `transmit ... is_async` */
export const isAsyncSchema = z.boolean();

/** Of `transmit ... query` */
export const searchSchema = z.object({
  success: z.literal(true),
  search_id: z.union([z.string(), z.number().transform(String)]),
});

/** Of `transmit ... status`; some modules leave out the one or the other. */
export const statusSchema = z.object({
  success: z.literal(true),
  progress: z.coerce.number().catch(0).default(0),
  status: z.string().max(100).default("RUNNING"),
});

/** Of `transmit ... results` */
export const resultsSchema = z.object({ success: z.literal(true), data: z.array(z.unknown()).default([]) });

/** Of `translate <module> results`: like a bundle, but its objects need not be valid STIX. */
export const bundleSchema = z.object({ objects: z.array(z.unknown()) });
