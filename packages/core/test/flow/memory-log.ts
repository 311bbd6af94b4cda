import type { Appended, DurableLog, LogBatch, LogRecord, LogState, Receipts } from "../../src/contracts/log.ts";
import type { StixMessage } from "../../src/contracts/message.ts";
import { settle } from "../messages.ts";

/** Nothing is kept of who got what. */
const NO_RECEIPTS: Receipts = { open: () => 1, mark: () => undefined, close: () => undefined };

/**
 * A durable log that is only memory, for tests of what reads it: each answer takes a few turns of the event loop, as
 * from another thread. The tests of whole flows have the real one.
 */
export class MemoryLog implements DurableLog {
  readonly id = "memory";
  readonly receipts = NO_RECEIPTS;
  state: LogState = "ok";
  /** What is not readable yet, as while the disk is full. */
  hidden = Number.POSITIVE_INFINITY;
  /** Thrown by the next reads. */
  failure: Error | undefined;
  /** Positions up to this were removed. */
  floor = 0;
  reads = 0;
  readonly #records: LogRecord[] = [];
  readonly #cursors = new Map<string, number>();
  #news = Promise.withResolvers<void>();

  get last(): number {
    return this.#records.length;
  }

  async append(messages: readonly StixMessage[]): Promise<Appended> {
    const first = this.last + 1;
    for (const message of messages) this.#records.push(recordOf(message, this.last + 1));
    this.announce();
    return { first, last: this.last, dropped: [] };
  }

  announce(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async settled(): Promise<boolean> {
    return true;
  }

  async news(): Promise<void> {
    await this.#news.promise;
  }

  async read(options: Parameters<DurableLog["read"]>[0]): Promise<LogBatch> {
    this.reads += 1;
    const end = Math.min(this.last, this.hidden);
    await settle();
    if (this.failure !== undefined) throw this.failure;
    const { after, limit = 1_000, type } = options;
    const from = Math.max(after, this.floor);
    const last = Math.max(from, Math.min(end, from + limit));
    const records = this.#records.slice(from, last).filter((record) => type === undefined || record.type === type);
    return { records, last, end: last >= end, skipped: from - after };
  }

  async positionBefore(time: number): Promise<number> {
    const at = this.#records.findIndex((record) => record.receivedAt >= time);
    return Math.max(this.floor, at === -1 ? this.last : at);
  }

  async *snapshot(): AsyncGenerator<readonly LogRecord[]> {
    const newest = new Map(this.#records.map((record) => [record.stixId, record]));
    const records = [...newest.values()].filter(({ removed }) => !removed);
    for (let at = 0; at < records.length; at += 10) {
      await settle();
      yield records.slice(at, at + 10);
    }
  }

  async states(stixIds: readonly string[]) {
    const wanted = new Set(stixIds);
    return [...new Map(this.#records.map((record) => [record.stixId, record])).values()].filter(({ stixId }) =>
      wanted.has(stixId),
    );
  }

  async latest(stixId: string): Promise<LogRecord | undefined> {
    return this.#records.findLast((record) => record.stixId === stixId);
  }

  async expired(): Promise<readonly LogRecord[]> {
    return [];
  }

  cursor(name: string): number {
    return this.#cursors.get(name) ?? 0;
  }

  setCursor(name: string, value: number): void {
    this.#cursors.set(name, value);
  }

  on(): void {
    // Its state changes only when a test says so.
  }
}

function recordOf({ type, id, source, receivedAt, bytes, stix }: StixMessage, position: number): LogRecord {
  const { object } = stix;
  const removed = object.revoked === true || object.x_threatbus_update === "REMOVE";
  const modified = Date.parse(object.modified) * 1_000;
  const more = { source, receivedAt, messageId: id, modified, validUntil: undefined, removed };
  return { position, type, stixId: object.id, bytes, ...more };
}
