/** Messages that were accepted and that no broker has confirmed yet, on the main thread's side. */
import { readAnswer } from "./codec/answers.ts";
import type { Answer, Request } from "./protocol.ts";
import type { Appended, Batch, LogEntry, Outbox } from "./records.ts";

/** The name under which the log keeps how far the outbox was emptied. */
export const OUTBOX_CURSOR = "outbox";
const DEFAULT_LIMIT = 1000;

/** What the outbox needs of the store that it belongs to. */
export interface OutboxStore {
  add(entries: readonly LogEntry[]): Promise<Appended>;
  cursor(name: string): number;
  setCursor(name: string, value: number): void;
  ask(request: Request): Promise<Answer>;
}

export class StoreOutbox implements Outbox {
  readonly #store: OutboxStore;

  constructor(store: OutboxStore) {
    this.#store = store;
  }

  async add(entries: readonly LogEntry[]): Promise<Appended> {
    return this.#store.add(entries);
  }

  remove(upTo: number): void {
    if (upTo > this.#removed) this.#store.setCursor(OUTBOX_CURSOR, upTo);
  }

  async read(options: { readonly after: number; readonly limit?: number }): Promise<Batch> {
    const after = Math.max(options.after, this.#removed);
    const answer = await this.#store.ask({ kind: "outbox", after, limit: options.limit ?? DEFAULT_LIMIT });
    const records = answer.memory === undefined ? [] : readAnswer(answer.memory);
    return { records, last: records.at(-1)?.position ?? after, end: answer.end ?? true, skipped: 0 };
  }

  async size(): Promise<number> {
    return (await this.#store.ask({ kind: "outbox-size", after: this.#removed })).position ?? 0;
  }

  get #removed(): number {
    return this.#store.cursor(OUTBOX_CURSOR);
  }
}
