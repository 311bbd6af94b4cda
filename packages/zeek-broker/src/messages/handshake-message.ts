import { DecodeError } from "../errors.ts";
import { frame } from "../wire/frame-writer.ts";
import { Reader, utf8 } from "../wire/reader.ts";
import { ID_SIZE } from "./endpoint-id.ts";
import { type Filter, readFilter, writeFilter } from "./filter.ts";

/** "ZEEK" */
const MAGIC = 0x5a45454b;

const HandshakeType = {
  hello: 6,
  probe: 7,
  versionSelect: 8,
  dropConn: 9,
  originatorSyn: 10,
  responderSynAck: 11,
  originatorAck: 12,
} as const;

/** Broker's error codes that a drop_conn carries. */
export const DropCode = { peerIncompatible: 2, wrongMagicNumber: 38, redundantConnection: 39 } as const;

/**
 * Messages before two endpoints have peered; uint8 type, then:
 *
 *     hello              uint32 magic, sender id, uint8 min version, uint8 max version
 *     probe              uint32 magic
 *     version_select     uint32 magic, sender id, uint8 version
 *     drop_conn          uint32 magic, sender id, uint8 error code, string reason
 *     originator_syn     filter
 *     responder_syn_ack  filter
 *     originator_ack     (nothing)
 *
 * Ids are 16 bytes.
 */
export type HandshakeMessage =
  | { readonly type: "hello"; readonly sender: Buffer; readonly minVersion: number; readonly maxVersion: number }
  | { readonly type: "probe" }
  | { readonly type: "version_select"; readonly sender: Buffer; readonly version: number }
  | { readonly type: "drop_conn"; readonly sender: Buffer; readonly code: number; readonly reason: string }
  | { readonly type: "originator_syn" | "responder_syn_ack"; readonly filter: Filter }
  | { readonly type: "originator_ack" };

/** The peer is no Broker endpoint: its magic number is another one. */
export class WrongMagic extends Error {
  override readonly name = "WrongMagic";
}

/** A frame, with its length. */
export function encodeHandshake(message: HandshakeMessage): Buffer {
  return frame((writer) => {
    switch (message.type) {
      case "hello":
        writer.u8(HandshakeType.hello).u32(MAGIC).bytes(message.sender);
        writer.u8(message.minVersion).u8(message.maxVersion);
        return;
      case "probe":
        writer.u8(HandshakeType.probe).u32(MAGIC);
        return;
      case "version_select":
        writer.u8(HandshakeType.versionSelect).u32(MAGIC).bytes(message.sender).u8(message.version);
        return;
      case "drop_conn":
        writer.u8(HandshakeType.dropConn).u32(MAGIC).bytes(message.sender).u8(message.code).sized(message.reason);
        return;
      case "originator_syn":
        writeFilter(writer.u8(HandshakeType.originatorSyn), message.filter);
        return;
      case "responder_syn_ack":
        writeFilter(writer.u8(HandshakeType.responderSynAck), message.filter);
        return;
      case "originator_ack":
        writer.u8(HandshakeType.originatorAck);
    }
  });
}

/** Decodes a frame without its length. Throws DecodeError or WrongMagic; undefined for types that are no handshake. */
export function decodeHandshake(bytes: Uint8Array, maxTopics: number): HandshakeMessage | undefined {
  const reader = new Reader(bytes);
  const message = read(reader, maxTopics);
  if (message !== undefined) reader.end();
  return message;
}

function read(reader: Reader, maxTopics: number): HandshakeMessage | undefined {
  switch (reader.u8()) {
    case HandshakeType.hello:
      return { type: "hello", sender: magicAndSender(reader), minVersion: reader.u8(), maxVersion: reader.u8() };
    case HandshakeType.probe:
      magic(reader);
      return { type: "probe" };
    case HandshakeType.versionSelect:
      return { type: "version_select", sender: magicAndSender(reader), version: reader.u8() };
    case HandshakeType.dropConn:
      return { type: "drop_conn", sender: magicAndSender(reader), code: reader.u8(), reason: shortText(reader) };
    case HandshakeType.originatorSyn:
      return { type: "originator_syn", filter: readFilter(reader, maxTopics) };
    case HandshakeType.responderSynAck:
      return { type: "responder_syn_ack", filter: readFilter(reader, maxTopics) };
    case HandshakeType.originatorAck:
      return { type: "originator_ack" };
    default:
      return undefined;
  }
}

function magic(reader: Reader): void {
  if (reader.u32() !== MAGIC) throw new WrongMagic("the magic number is not Broker's");
}

/** The id is a copy, since it outlives the frame. */
function magicAndSender(reader: Reader): Buffer {
  magic(reader);
  return Buffer.from(reader.bytes(ID_SIZE));
}

/** The reason of a drop_conn goes to logs. */
const MAX_REASON = 1024;

function shortText(reader: Reader): string {
  const bytes = reader.sized();
  if (bytes.length > MAX_REASON) throw new DecodeError("bad-value", "the reason of a drop_conn is too long");
  return utf8(bytes);
}
