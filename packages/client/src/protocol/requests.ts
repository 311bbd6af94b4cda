import { z } from "zod";
import { contentFilterSchema } from "./filter.ts";

/** Longest request or reply in bytes. */
export const MAX_MANAGEMENT_BYTES = 1_048_576;

/** Where in the durable log a subscription begins: behind a position, at either end, or with what came at a time or later. */
export const startSchema = z.union([
  z.int().min(0),
  z.enum(["earliest", "latest"]),
  z.iso.datetime({ offset: true }).max(64),
]);
export type Start = z.infer<typeof startSchema>;

/** Tells one durable log from another. */
export const logIdSchema = z.string().min(1).max(64);

const topicSchema = z.string().min(1).max(1_024);

/** "Send me these topics": answered by a SubscribeReply. */
export const subscribeRequestSchema = z.object({
  action: z.literal("subscribe"),
  /** One topic prefix or several; several make one subscription. */
  topic: z.union([topicSchema, z.array(topicSchema).min(1).max(1_000).readonly()]),
  /** Whole days back from now; 0 or absent: no snapshot. */
  snapshot: z.int().min(0).max(999_999_999).optional(),
  /** Shown in logs, metrics and console of the bus. Old servers ignore it, and all below. */
  name: z.string().max(200).optional(),
  filter: contentFilterSchema.optional(),
  /** Absent: begin with what comes from now on. */
  from: startSchema.optional(),
  /** The log that a position in `from` belongs to. */
  log: logIdSchema.optional(),
  /** Send position frames. */
  positions: z.boolean().optional(),
  /** Tell whether receipts can be asked for. */
  receipts: z.boolean().optional(),
});
export type SubscribeRequest = z.infer<typeof subscribeRequestSchema>;

/** Ends the subscription whose point-to-point topic is `topic`. */
export const unsubscribeRequestSchema = z.object({ action: z.literal("unsubscribe"), topic: topicSchema });
export type UnsubscribeRequest = z.infer<typeof unsubscribeRequestSchema>;

/** "I am still here." An error means that the bus does not know the subscription: subscribe again. */
export const heartbeatRequestSchema = z.object({ action: z.literal("heartbeat"), topic: topicSchema });
export type HeartbeatRequest = z.infer<typeof heartbeatRequestSchema>;

export const managementRequestSchema = z.discriminatedUnion("action", [
  subscribeRequestSchema,
  unsubscribeRequestSchema,
  heartbeatRequestSchema,
]);
export type ManagementRequest = z.infer<typeof managementRequestSchema>;

/** One frame: the JSON text of the request, UTF-8. */
export function encodeRequest(request: ManagementRequest): Buffer {
  return Buffer.from(JSON.stringify(request));
}

/**
 * Reads a request as this package writes it. Stricter than the bus, which also takes the odd values of old clients.
 * @throws SyntaxError or ZodError
 */
export function decodeRequest(bytes: Uint8Array): ManagementRequest {
  return managementRequestSchema.parse(parseJson(bytes));
}

/** @throws SyntaxError for anything but one JSON text in UTF-8 of at most MAX_MANAGEMENT_BYTES. */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_MANAGEMENT_BYTES) throw new SyntaxError(`longer than ${MAX_MANAGEMENT_BYTES} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SyntaxError("not UTF-8", { cause });
  }
  return JSON.parse(text);
}
