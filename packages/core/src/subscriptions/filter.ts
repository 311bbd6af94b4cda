import { z } from "zod";

/** A content filter as an app writes it (architecture: Content filters). All given members must hold. */
export const contentFilterSchema = z.strictObject({
  object_paths: z.array(z.string().max(1_000)).max(1_000).optional(),
  pattern_types: z.array(z.string().max(100)).max(100).optional(),
  min_confidence: z.int().min(0).max(100).optional(),
  labels: z.array(z.string().max(1_000)).max(1_000).optional(),
  indicator_types: z.array(z.string().max(1_000)).max(1_000).optional(),
  created_by_refs: z.array(z.string().max(200)).max(1_000).optional(),
  max_tlp: z.enum(["clear", "green", "amber", "amber+strict", "red"]).optional(),
});
export type ContentFilter = z.infer<typeof contentFilterSchema>;
