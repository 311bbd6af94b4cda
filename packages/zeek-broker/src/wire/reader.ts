import { isUtf8 } from "node:buffer";
import { DecodeError } from "../errors.ts";

/** Takes fields from the front of a buffer. Every method throws DecodeError instead of reading past the end. */
export class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  rest(): Buffer {
    return this.bytes(this.remaining);
  }

  /** 7 bits per byte, least significant group first, high bit set on all but the last; at most 32 bits. */
  varbyte(): number {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (result > 0xffff_ffff) break;
        return result;
      }
    }
    throw new DecodeError("bad-value", "a length does not fit 32 bits");
  }

  /** Varbyte length and bytes. */
  sized(): Buffer {
    return this.bytes(this.varbyte());
  }

  /** Varbyte length and UTF-8. */
  text(): string {
    return utf8(this.sized());
  }

  /** Number of items that follow, each of at least `least` bytes: more than the bytes that are left is an error. */
  count(least: number): number {
    const count = this.varbyte();
    if (count * least > this.remaining) throw new DecodeError("truncated", "a count is larger than the bytes left");
    return count;
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining > 0) throw new DecodeError("trailing-bytes");
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (length > this.remaining) throw new DecodeError("truncated");
    this.#offset = start + length;
    return start;
  }
}

/** Throws DecodeError for what is not UTF-8. */
export function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new DecodeError("bad-value", "a name or topic is not UTF-8");
  return bytes.toString("utf8");
}
