/**
 * Rows that wait for the indexes, found by key and by value. There are up to some hundred thousand of them, so that they
 * lie in columns of numbers (about 60 bytes a row) and not in objects.
 */

/** Chains of rows whose keys have the same last bits, newest first. */
interface Chains {
  readonly heads: Int32Array;
  readonly before: Int32Array;
}

const LEAST_ROOM = 1024;
/** Keys are below this (hash.ts). */
const KEY_SPACE = 2 ** 53;
/** Rows per bucket when sorting, about. */
const BUCKET_ROWS = 4;
/** Larger buckets, of an object with very many states, are sorted as a whole. */
const LARGE_BUCKET = 64;

export class WaitingRows {
  count = 0;
  seq = new Float64Array(LEAST_ROOM);
  key = new Float64Array(LEAST_ROOM);
  modified = new Float64Array(LEAST_ROOM);
  /** -1: no value. */
  valueKey = new Float64Array(LEAST_ROOM);
  #byKey = chainsFor(LEAST_ROOM);
  #byValue = chainsFor(LEAST_ROOM);

  /** @param valueKey -1: no value */
  add(seq: number, key: number, modified: number, valueKey: number): void {
    if (this.count === this.seq.length) this.#grow();
    const row = this.count++;
    this.seq[row] = seq;
    this.key[row] = key;
    this.modified[row] = modified;
    this.valueKey[row] = valueKey;
    link(this.#byKey, key, row);
    if (valueKey >= 0) link(this.#byValue, valueKey, row);
  }

  #grow(): void {
    const room = this.count * 2;
    this.seq = grown(this.seq, room);
    this.key = grown(this.key, room);
    this.modified = grown(this.modified, room);
    this.valueKey = grown(this.valueKey, room);
    this.#byKey = chainsFor(room);
    this.#byValue = chainsFor(room);
    for (let row = 0; row < this.count; row++) {
      link(this.#byKey, at(this.key, row), row);
      if (at(this.valueKey, row) >= 0) link(this.#byValue, at(this.valueKey, row), row);
    }
  }

  /** Rows with a key, newest first. */
  ofKey(key: number): Generator<number> {
    return chain(this.#byKey, this.key, key);
  }

  /** Rows with a value, newest first. */
  ofValue(valueKey: number): Generator<number> {
    return chain(this.#byValue, this.valueKey, valueKey);
  }

  /** All rows in the order of (key, modified, seq). */
  sortedByKey(): Uint32Array {
    const { key, modified, seq } = this;
    const rows = Uint32Array.from({ length: this.count }, (_, row) => row);
    return sorted(
      rows,
      key,
      (a, b) => at(key, a) - at(key, b) || at(modified, a) - at(modified, b) || at(seq, a) - at(seq, b),
    );
  }

  /** Rows that have a value, in the order of (valueKey, seq). */
  sortedByValue(): Uint32Array {
    const { valueKey, seq } = this;
    const rows = Uint32Array.from({ length: this.count }, (_, row) => row).filter((row) => at(valueKey, row) >= 0);
    return sorted(rows, valueKey, (a, b) => at(valueKey, a) - at(valueKey, b) || at(seq, a) - at(seq, b));
  }
}

/** Every row of a column that was written has a number. */
export function at(column: Float64Array | Uint32Array | Int32Array, row: number): number {
  return column[row] ?? 0;
}

function grown(column: Float64Array, room: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(room);
  larger.set(column);
  return larger;
}

function chainsFor(room: number): Chains {
  return { heads: new Int32Array(room).fill(-1), before: new Int32Array(room) };
}

function link({ heads, before }: Chains, key: number, row: number): void {
  const slot = (key >>> 0) & (heads.length - 1);
  before[row] = at(heads, slot);
  heads[slot] = row;
}

function* chain({ heads, before }: Chains, keys: Float64Array, key: number): Generator<number> {
  for (let row = at(heads, (key >>> 0) & (heads.length - 1)); row >= 0; row = at(before, row))
    if (keys[row] === key) yield row;
}

/** Keys are hashes, and so spread evenly: rows go into buckets by their first bits, and each bucket is sorted. */
function sorted(rows: Uint32Array, keys: Float64Array, compare: (a: number, b: number) => number): Uint32Array {
  const buckets = Math.max(1, Math.ceil(rows.length / BUCKET_ROWS));
  const bucketOf = (row: number): number => Math.floor((at(keys, row) / KEY_SPACE) * buckets);
  const ends = new Uint32Array(buckets + 1);
  for (const row of rows) ends[bucketOf(row) + 1] = at(ends, bucketOf(row) + 1) + 1;
  for (let bucket = 0; bucket < buckets; bucket++) ends[bucket + 1] = at(ends, bucket + 1) + at(ends, bucket);
  const next = ends.slice();
  const order = new Uint32Array(rows.length);
  for (const row of rows) {
    const bucket = bucketOf(row);
    const place = at(next, bucket);
    order[place] = row;
    next[bucket] = place + 1;
  }
  for (let bucket = 0; bucket < buckets; bucket++)
    sortRange(order.subarray(at(ends, bucket), at(ends, bucket + 1)), compare);
  return order;
}

function sortRange(rows: Uint32Array, compare: (a: number, b: number) => number): void {
  if (rows.length > LARGE_BUCKET) {
    rows.sort(compare);
    return;
  }
  for (let end = 1; end < rows.length; end++) {
    const row = at(rows, end);
    let place = end;
    for (; place > 0 && compare(at(rows, place - 1), row) > 0; place--) rows[place] = at(rows, place - 1);
    rows[place] = row;
  }
}
