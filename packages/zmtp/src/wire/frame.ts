/**
 * Frames (ZMTP 3.1, "Framing"): a flag byte, the body's length in one byte, or with FLAG_LONG as a big-endian uint64, the body.
 * A message is all frames up to one without FLAG_MORE.
 */
export const FLAG_MORE = 1;
export const FLAG_LONG = 2;
export const FLAG_COMMAND = 4;
export const ALL_FLAGS = FLAG_MORE | FLAG_LONG | FLAG_COMMAND;

export const SHORT_HEADER = 2;
export const LONG_HEADER = 9;
/** The longest body whose length fits in one byte. */
const SHORT_BODY = 255;

const UINT32 = 0x1_0000_0000;

/** Bytes of the header of a frame whose body has `length` bytes. */
function headerSize(length: number): number {
  return length > SHORT_BODY ? LONG_HEADER : SHORT_HEADER;
}

/** Writes a frame's header at `offset` and returns where the body begins. `length` is a safe integer. */
export function writeHeader(target: Uint8Array, offset: number, flags: number, length: number): number {
  if (length <= SHORT_BODY) {
    target[offset] = flags;
    target[offset + 1] = length;
    return offset + SHORT_HEADER;
  }
  const high = Math.floor(length / UINT32);
  target[offset] = flags | FLAG_LONG;
  target[offset + 1] = 0;
  target[offset + 2] = 0;
  target[offset + 3] = high >>> 8;
  target[offset + 4] = high;
  target[offset + 5] = length >>> 24;
  target[offset + 6] = length >>> 16;
  target[offset + 7] = length >>> 8;
  target[offset + 8] = length;
  return offset + LONG_HEADER;
}

/** The uint64 of a long header at `offset`; lengths beyond 2^53 lose precision, and every limit is far below. */
export function readLongLength(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * UINT32 + source.readUInt32BE(offset + 4);
}

/** A whole frame in a buffer of its own, for handshakes and tests. */
export function encodeFrame(flags: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerSize(body.length) + body.length);
  frame.set(body, writeHeader(frame, 0, flags, body.length));
  return frame;
}
