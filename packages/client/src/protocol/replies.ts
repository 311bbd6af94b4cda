import { z } from "zod";
import { logIdSchema, parseJson } from "./requests.ts";

const portSchema = z.int().min(1).max(65_535);

/** The request was done. */
export const successReplySchema = z.object({ status: z.literal("success") });
export type SuccessReply = z.infer<typeof successReplySchema>;

/** The subscription was made. */
export const subscribeReplySchema = z.object({
  status: z.literal("success"),
  /** Point-to-point topic: 32 letters a-z from today's servers; bounded here for any. */
  topic: z.string().regex(/^[!-~]{1,256}$/),
  /** Where the bus publishes: the app connects a SUB. */
  pub_port: portSchema,
  /** Where the bus listens: the app connects a PUB. */
  sub_port: portSchema,
  /** The position in the durable log behind which the subscription begins; absent without a log, and from old servers. */
  position: z.int().min(0).optional(),
  /** The log that the position belongs to. */
  log: logIdSchema.optional(),
  /** Receipts can be asked for; absent from old servers. */
  receipts: z.literal(true).optional(),
});
export type SubscribeReply = z.infer<typeof subscribeReplySchema>;

/** The request was not done. "unknown request": the server does not know the action, or a member is missing. */
export const failureReplySchema = z.object({
  status: z.enum(["error", "unknown request"]),
  /** The reason; old servers give none. */
  message: z.string().optional().catch(undefined),
  /** "TB_NO_LOG": there is no durable log to begin in. "TB_UNAVAILABLE": the same request may succeed soon. */
  code: z.string().max(64).optional().catch(undefined),
});
export type FailureReply = z.infer<typeof failureReplySchema>;

export type ManagementReply = SubscribeReply | SuccessReply | FailureReply;

/** One frame: the JSON text of the reply, UTF-8. */
export function encodeReply(reply: ManagementReply): Buffer {
  return Buffer.from(JSON.stringify(reply));
}

/** Reads the reply to a subscribe request. @throws SyntaxError or ZodError */
export function decodeSubscribeReply(bytes: Uint8Array): SubscribeReply | FailureReply {
  return z.union([subscribeReplySchema, failureReplySchema]).parse(parseJson(bytes));
}

/** Reads the reply to an unsubscribe or heartbeat request. @throws SyntaxError or ZodError */
export function decodeReply(bytes: Uint8Array): SuccessReply | FailureReply {
  return z.union([successReplySchema, failureReplySchema]).parse(parseJson(bytes));
}
