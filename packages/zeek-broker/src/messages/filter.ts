import { DecodeError } from "../errors.ts";
import type { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";

/** The topic prefixes that an endpoint wants. On the wire: varbyte count, then varbyte length and UTF-8 of each. */
export class Filter {
  /** Without duplicates, sorted: the order of the wire. */
  readonly topics: readonly string[];
  /** Those of which no other is a prefix, sorted: the only candidate for a topic is the greatest one not above it. */
  readonly #roots: readonly string[];

  constructor(topics: Iterable<string>) {
    this.topics = [...new Set(topics)].sort();
    const roots: string[] = [];
    for (const topic of this.topics) {
      const last = roots.at(-1);
      if (last === undefined || !topic.startsWith(last)) roots.push(topic);
    }
    this.#roots = roots;
  }

  /** Is one of the prefixes a prefix of `topic`? */
  covers(topic: string): boolean {
    let low = 0;
    let high = this.#roots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#roots[middle] ?? "") <= topic) low = middle + 1;
      else high = middle;
    }
    const candidate = this.#roots[low - 1];
    return candidate !== undefined && topic.startsWith(candidate);
  }
}

export function writeFilter(writer: Writer, filter: Filter): void {
  writer.varbyte(filter.topics.length);
  for (const topic of filter.topics) writer.sized(topic);
}

/** The payload of a routing_update. */
export function encodeFilter(filter: Filter): Buffer {
  const writer = new Writer();
  writeFilter(writer, filter);
  return writer.finish();
}

/** Reads a filter of at most `most` topics. Throws DecodeError. */
export function readFilter(reader: Reader, most: number): Filter {
  const count = reader.count(1);
  if (count > most) throw new DecodeError("too-many-values", `a filter of more than ${most} topics`);
  const topics: string[] = [];
  while (topics.length < count) topics.push(reader.text());
  return new Filter(topics);
}
