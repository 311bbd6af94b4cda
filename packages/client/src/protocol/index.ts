/** The wire protocol between Threat Bus and its ZeroMQ apps: management requests and replies, data frames. */
export type { ContentFilter } from "./filter.ts";
export { contentFilterSchema } from "./filter.ts";
export type { AppTopic, Frame, MessageType } from "./frames.ts";
export {
  APP_TOPICS,
  decodeFrame,
  encodeFrame,
  encodePositionFrame,
  encodeReceiptFrame,
  encodeReceiptRequest,
  MAX_TOPIC_BYTES,
  MESSAGE_TYPES,
  messageTypeOf,
  positionOf,
  receiptOf,
} from "./frames.ts";
export type { FailureReply, ManagementReply, SubscribeReply, SuccessReply } from "./replies.ts";
export {
  decodeReply,
  decodeSubscribeReply,
  encodeReply,
  failureReplySchema,
  subscribeReplySchema,
  successReplySchema,
} from "./replies.ts";
export type { HeartbeatRequest, ManagementRequest, Start, SubscribeRequest, UnsubscribeRequest } from "./requests.ts";
export {
  decodeRequest,
  encodeRequest,
  heartbeatRequestSchema,
  MAX_MANAGEMENT_BYTES,
  managementRequestSchema,
  startSchema,
  subscribeRequestSchema,
  unsubscribeRequestSchema,
} from "./requests.ts";
