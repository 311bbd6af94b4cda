/** The library for apps of Threat Bus: publish, subscribe, answer snapshot requests. */
export type { ClientStats, PublishOptions } from "./client.ts";
export { Client } from "./client.ts";
export { connect } from "./connect.ts";
export type { Duration } from "./duration.ts";
export type { ClientErrorCode } from "./errors.ts";
export { CLIENT_ERRORS, ClientError } from "./errors.ts";
export type { Gap } from "./link.ts";
export type { ClientLogger } from "./logger.ts";
export type { Message, Undecodable } from "./messages.ts";
export type { ClientOptions, Timeouts } from "./options.ts";
export { PositionFile } from "./position-file.ts";
export type { PositionStore, RememberedPosition } from "./position-store.ts";
export type { ContentFilter } from "./protocol/filter.ts";
export type { Publishable, PublishableMany } from "./publishable.ts";
export type { SnapshotHandler, SnapshotQuestion, SnapshotStats } from "./snapshots.ts";
export type { SubscribeOptions } from "./subscribe-options.ts";
export type { SubscriptionState, SubscriptionStats } from "./subscription.ts";
export { Subscription } from "./subscription.ts";
