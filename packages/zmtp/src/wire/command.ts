import { protocol } from "./violation.ts";

/** A command frame's body, taken apart: a length byte, the name, the data. */
export interface Command {
  readonly name: string;
  readonly data: Buffer;
}

/** PING's data: how long the peer may be silent (uint16, tenths of a second, 0: for ever) and 0 to 16 bytes to send back. */
export interface Ping {
  readonly ttl: number;
  readonly context: Buffer;
}

const EMPTY = Buffer.alloc(0);
const MAX_PING_CONTEXT = 16;
const TTL_SIZE = 2;

export function encodeCommand(name: string, data: Uint8Array = EMPTY): Buffer {
  const body = Buffer.allocUnsafe(1 + name.length + data.length);
  body[0] = name.length;
  body.write(name, 1, "latin1");
  body.set(data, 1 + name.length);
  return body;
}

/** `data` is a view of `body`. Throws a Violation. */
export function decodeCommand(body: Buffer): Command {
  const nameLength = body[0];
  if (nameLength === undefined || nameLength === 0 || nameLength >= body.length) throw protocol("bad-command");
  return { name: body.toString("latin1", 1, 1 + nameLength), data: body.subarray(1 + nameLength) };
}

export function encodePing(ping: Ping): Buffer {
  const data = Buffer.allocUnsafe(TTL_SIZE + ping.context.length);
  data.writeUInt16BE(ping.ttl);
  data.set(ping.context, TTL_SIZE);
  return encodeCommand("PING", data);
}

/** Throws a Violation. */
export function decodePing(data: Buffer): Ping {
  if (data.length < TTL_SIZE || data.length > TTL_SIZE + MAX_PING_CONTEXT) throw protocol("bad-command");
  return { ttl: data.readUInt16BE(0), context: data.subarray(TTL_SIZE) };
}

/** ERROR: a length byte and a reason in ASCII. */
export function encodeError(reason: string): Buffer {
  const text = Buffer.from(reason.slice(0, 255), "latin1");
  return encodeCommand("ERROR", Buffer.concat([Buffer.of(text.length), text]));
}
