export type { Address } from "./address.ts";
export type { ZmtpErrorCode } from "./errors.ts";
export { ZmtpError } from "./errors.ts";
export type {
  Breach,
  DisconnectReason,
  LimitReason,
  Peer,
  ProtocolReason,
  RefusalReason,
  SocketEvent,
} from "./events.ts";
export type {
  Handshake,
  HandshakeContext,
  HandshakeStep,
  Mechanism,
} from "./mechanism/mechanism.ts";
export type { HeartbeatOptions, SocketOptions } from "./options.ts";
export { Pub } from "./sockets/pub.ts";
export type { PublishingSocket, SendResult, SubscriptionListener, TopicSender } from "./sockets/publishing.ts";
export type { RequestHandler } from "./sockets/rep.ts";
export { Rep } from "./sockets/rep.ts";
export type { RequestOptions } from "./sockets/req.ts";
export { Req } from "./sockets/req.ts";
export type { Batch } from "./sockets/sub.ts";
export { Sub } from "./sockets/sub.ts";
export { Xpub } from "./sockets/xpub.ts";
export type { Command } from "./wire/command.ts";
export type { Metadata } from "./wire/metadata.ts";
