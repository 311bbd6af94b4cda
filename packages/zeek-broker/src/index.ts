export type { BrokerErrorCode, DecodeReason } from "./errors.ts";
export { BrokerError, DecodeError } from "./errors.ts";
export type { EventMetadata, ZeekEvent } from "./messages/event.ts";
export { decodeEvent, encodeEvent, eventToValue, networkTime, valueToEvent } from "./messages/event.ts";
export { decodeValue, encodeValue } from "./values/binary.ts";
export type { PortProtocol, TableEntry, ValueType } from "./values/value.ts";
export { Value } from "./values/value.ts";
