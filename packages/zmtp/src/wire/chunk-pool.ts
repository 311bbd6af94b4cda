/** Bytes of a chunk: large enough to make the cost of a write small, small enough to stay in the processor's cache. */
export const CHUNK_SIZE = 64 * 1024;
/** Free chunks kept for reuse, 16 MiB; more are left to the garbage collector. */
const MAX_FREE = 256;

/** A buffer being filled with frames, or waiting to be written. */
export interface Chunk {
  readonly bytes: Buffer;
  length: number;
  /** Messages that end in this chunk, to count what is lost with a connection. */
  messages: number;
}

const free: Chunk[] = [];

/** An empty chunk. Chunks are shared by all connections of the process, so that an idle connection holds none. */
export function takeChunk(): Chunk {
  return free.pop() ?? { bytes: Buffer.allocUnsafeSlow(CHUNK_SIZE), length: 0, messages: 0 };
}

/** Gives back a chunk that nobody reads any more. */
export function releaseChunk(chunk: Chunk): void {
  chunk.length = 0;
  chunk.messages = 0;
  if (free.length < MAX_FREE) free.push(chunk);
}
