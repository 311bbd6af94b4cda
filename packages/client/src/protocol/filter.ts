import { TLP_ORDER } from "@threatbus/stix";
import { z } from "zod";

/** A content filter: what the bus passes on to one subscription. All given members must hold; within a list one entry must. */
export const contentFilterSchema = z.strictObject({
  /** Object paths of point patterns, e.g. "ipv4-addr:value". */
  object_paths: z.array(z.string().max(1_000)).max(1_000).readonly().optional(),
  pattern_types: z.array(z.string().max(100)).max(100).readonly().optional(),
  /** 0 to 100. */
  min_confidence: z.int().min(0).max(100).optional(),
  labels: z.array(z.string().max(1_000)).max(1_000).readonly().optional(),
  indicator_types: z.array(z.string().max(1_000)).max(1_000).readonly().optional(),
  created_by_refs: z.array(z.string().max(200)).max(1_000).readonly().optional(),
  /** The strictest marking still passed on (TLP 1.0 and 2.0). */
  max_tlp: z.enum(TLP_ORDER).optional(),
});
export type ContentFilter = z.infer<typeof contentFilterSchema>;
