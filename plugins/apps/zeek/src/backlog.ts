import { INTEL_TYPES, type IntelItem } from "./intel.ts";

/**
 * One item in the backlog, big-endian: int64 created, uint8 index of the type times two plus one for REMOVE, uint32 length
 * of the id, uint32 length of the value, id, value.
 */
const HEADER = 17;
const AT_TYPE = 8;
const AT_ID_LENGTH = 9;
const AT_VALUE_LENGTH = 13;
const CHUNK = 64 * 1024;

interface Chunk {
  readonly bytes: Buffer;
  /** End of the last item. */
  used: number;
  /** Start of the first item that is not acknowledged. */
  released: number;
}

/** A place between two items. */
interface Position {
  /** Index in the list of chunks. */
  chunk: number;
  offset: number;
}

/**
 * The items that wait for one Zeek, or are on their way to it without having been acknowledged: in order, packed into
 * some 90 bytes each, so that a feed of half a million fits into memory where as many messages would not. Zeek loads a
 * snapshot far more slowly than the bus delivers it.
 */
export class Backlog {
  readonly #maxBytes: number;
  readonly #chunks: Chunk[] = [];
  /** The chunk that was used last, kept so that single items cost no new one each. */
  #spare: Chunk | undefined;
  #bytes = 0;
  #size = 0;
  #unsent = 0;
  /** Where the next item to send starts. */
  readonly #next: Position = { chunk: 0, offset: 0 };

  /** @param maxBytes memory in which it counts as full. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Items that are not acknowledged. */
  get size(): number {
    return this.#size;
  }

  /** Items that `next` has not handed out. */
  get unsent(): number {
    return this.#unsent;
  }

  /** Memory held for items, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#bytes >= this.#maxBytes && this.#size > 0;
  }

  push(item: IntelItem): void {
    const idLength = Buffer.byteLength(item.id);
    const valueLength = Buffer.byteLength(item.value);
    const chunk = this.#chunkFor(HEADER + idLength + valueLength);
    const { bytes, used } = chunk;
    bytes.writeBigInt64BE(item.created, used);
    bytes[used + AT_TYPE] = INTEL_TYPES.indexOf(item.type) * 2 + (item.operation === "REMOVE" ? 1 : 0);
    bytes.writeUInt32BE(idLength, used + AT_ID_LENGTH);
    bytes.writeUInt32BE(valueLength, used + AT_VALUE_LENGTH);
    bytes.write(item.id, used + HEADER);
    bytes.write(item.value, used + HEADER + idLength);
    chunk.used = used + HEADER + idLength + valueLength;
    this.#size += 1;
    this.#unsent += 1;
  }

  /** The next item to send; undefined when all have been handed out. */
  next(): IntelItem | undefined {
    if (this.#unsent === 0) return undefined;
    let chunk = this.#chunks[this.#next.chunk];
    if (chunk !== undefined && this.#next.offset === chunk.used) {
      this.#next.chunk += 1;
      this.#next.offset = 0;
      chunk = this.#chunks[this.#next.chunk];
    }
    if (chunk === undefined) return undefined;
    const { offset } = this.#next;
    this.#next.offset = end(chunk, offset);
    this.#unsent -= 1;
    return read(chunk.bytes, offset);
  }

  /** Forgets the oldest `count` items, which have been handed out. */
  release(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return;
      chunk.released = end(chunk, chunk.released);
      this.#size -= 1;
      if (chunk.released === chunk.used) this.#drop();
    }
  }

  /** Hands everything that is not acknowledged out again, from the oldest on. */
  rewind(): void {
    this.#next.chunk = 0;
    this.#next.offset = this.#chunks[0]?.released ?? 0;
    this.#unsent = this.#size;
  }

  /** Takes away the first chunk, all of whose items are acknowledged. */
  #drop(): void {
    const chunk = this.#chunks.shift();
    this.#bytes -= chunk?.bytes.length ?? 0;
    if (chunk?.bytes.length === CHUNK) this.#spare = chunk;
    if (this.#next.chunk === 0) this.#next.offset = 0;
    else this.#next.chunk -= 1;
  }

  #chunkFor(length: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.used + length <= last.bytes.length) return last;
    const spare = length <= CHUNK ? this.#spare?.bytes : undefined;
    this.#spare = undefined;
    const made: Chunk = { bytes: spare ?? Buffer.allocUnsafeSlow(Math.max(CHUNK, length)), used: 0, released: 0 };
    this.#chunks.push(made);
    this.#bytes += made.bytes.length;
    return made;
  }
}

/** Where the item at `offset` ends. */
function end({ bytes }: Chunk, offset: number): number {
  return offset + HEADER + bytes.readUInt32BE(offset + AT_ID_LENGTH) + bytes.readUInt32BE(offset + AT_VALUE_LENGTH);
}

function read(bytes: Buffer, offset: number): IntelItem {
  const kind = bytes[offset + AT_TYPE] ?? 0;
  const idEnd = offset + HEADER + bytes.readUInt32BE(offset + AT_ID_LENGTH);
  const valueEnd = idEnd + bytes.readUInt32BE(offset + AT_VALUE_LENGTH);
  return {
    created: bytes.readBigInt64BE(offset),
    id: bytes.toString("utf8", offset + HEADER, idEnd),
    type: INTEL_TYPES[kind >> 1] ?? "ADDR",
    value: bytes.toString("utf8", idEnd, valueEnd),
    operation: kind % 2 === 1 ? "REMOVE" : "ADD",
  };
}
