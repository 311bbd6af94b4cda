import type { Appended, LogBatch } from "../../src/contracts/log.ts";
import type { StixMessage } from "../../src/contracts/message.ts";
import { MemoryLog } from "../memory-log.ts";
import { settle } from "../messages.ts";

/** A log whose answers take a few turns of the event loop, as from another thread, and that can have gaps. */
export class SlowLog extends MemoryLog {
  /** What is behind this position cannot be read yet, as while the disk is full. */
  hidden = Number.POSITIVE_INFINITY;
  /** Positions up to this were removed by retention. */
  floor = 0;
  reads = 0;
  #news = Promise.withResolvers<void>();

  override async append(messages: readonly StixMessage[]): Promise<Appended> {
    const appended = await super.append(messages);
    this.announce();
    return appended;
  }

  announce(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  override async news(): Promise<void> {
    await this.#news.promise;
  }

  override async read({ after, limit = 1_000, type }: Parameters<MemoryLog["read"]>[0]): Promise<LogBatch> {
    this.reads += 1;
    const end = Math.min(this.last, this.hidden);
    await settle();
    if (this.failure !== undefined) throw this.failure;
    const from = Math.max(after, this.floor);
    const last = Math.max(from, Math.min(end, from + limit));
    const records = this.records.slice(from, last).filter((record) => type === undefined || record.type === type);
    return { records, last, end: last >= end, skipped: from - after };
  }
}
