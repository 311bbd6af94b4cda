/** How `maxBytes` is shared out between the database file and its write-ahead log. */

export const PAGE_SIZE = 16384;
const MIB = 1024 * 1024;
/** Beyond these a longer write-ahead log saves nothing, and a shorter one costs too much. */
const MOST_WAL = 64 * MIB;
const LEAST_WAL = 4 * MIB;
const WAL_PART = 8;

/** Bytes of write-ahead log after which it is copied into the database and begun anew. */
export function walBytes(maxBytes: number): number {
  return Math.max(LEAST_WAL, Math.min(MOST_WAL, maxBytes / WAL_PART));
}

/** Bytes for the pages of the database; the write-ahead log has room for twice its length, since commits overshoot it. */
export function pageBudget(maxBytes: number): number {
  return maxBytes - 2 * Math.min(MOST_WAL, maxBytes / WAL_PART);
}
