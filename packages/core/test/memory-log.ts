import { parseTimestamp } from "@threatbus/stix";
import type {
  Appended,
  DurableLog,
  LogBatch,
  LoggedId,
  LogRecord,
  LogState,
  ObjectState,
  Outbox,
} from "../src/contracts/log.ts";
import type { StixMessage } from "../src/contracts/message.ts";

const PART = 500;

function recordOf({ stix, id, source, receivedAt, bytes }: StixMessage, position: number): LogRecord {
  const { object } = stix;
  const { valid_until } = object;
  return {
    position,
    type: object.type,
    stixId: object.id,
    modified: Number(parseTimestamp(object.modified)),
    receivedAt,
    source,
    messageId: id,
    validUntil: typeof valid_until === "string" ? Date.parse(valid_until) : undefined,
    removed: object.revoked === true || object.x_threatbus_update === "REMOVE",
    bytes,
  };
}

/** An outbox that outlives whoever uses it. */
export class MemoryOutbox implements Outbox {
  records: readonly LogRecord[] = [];
  #given = 0;

  async add(messages: readonly StixMessage[]): Promise<Appended> {
    const first = this.#given + 1;
    this.records = [...this.records, ...messages.map((message, index) => recordOf(message, first + index))];
    this.#given += messages.length;
    return { first, last: this.#given, dropped: [] };
  }

  remove(upTo: number): void {
    this.records = this.records.filter(({ position }) => position > upTo);
  }

  async read({ after, limit = PART }: Parameters<Outbox["read"]>[0]): Promise<LogBatch> {
    const waiting = this.records.filter(({ position }) => position > after);
    const records = waiting.slice(0, limit);
    return { records, last: records.at(-1)?.position ?? after, end: records.length === waiting.length, skipped: 0 };
  }

  async size(): Promise<number> {
    return this.records.length;
  }
}

/** The durable log without a disk: what it has outlives whoever uses it, as a file would. */
export class MemoryLog implements DurableLog {
  readonly id = "memory";
  readonly receipts = { open: () => 1, mark: () => undefined, close: () => undefined };
  readonly outbox = new MemoryOutbox();
  readonly #records: LogRecord[] = [];
  readonly #newest = new Map<string, LogRecord>();
  readonly #cursors = new Map<string, number>();
  state: LogState = "ok";
  /** Every question and every write of a cursor, in order. */
  readonly calls: string[] = [];
  /** What questions reject with. */
  failure: Error | undefined;

  get last(): number {
    return this.#records.length;
  }

  get records(): readonly LogRecord[] {
    return this.#records;
  }

  async append(messages: readonly StixMessage[]): Promise<Appended> {
    if (this.state !== "ok") return { first: 0, last: 0, dropped: messages.map((_, index) => index) };
    const first = this.last + 1;
    for (const message of messages) this.#add(message);
    return { first, last: this.last, dropped: [] };
  }

  #add(message: StixMessage): void {
    const record = recordOf(message, this.last + 1);
    this.#records.push(record);
    if ((this.#newest.get(record.stixId)?.modified ?? 0) <= record.modified) this.#newest.set(record.stixId, record);
  }

  async settled(): Promise<boolean> {
    return this.state === "ok";
  }

  async news(): Promise<void> {}

  async read({ after, limit = PART, type }: Parameters<DurableLog["read"]>[0]): Promise<LogBatch> {
    this.#ask("read");
    const records = this.#records.slice(after, after + Math.min(limit, PART));
    const last = after + records.length;
    const wanted = records.filter((record) => type === undefined || record.type === type);
    return { records: wanted, last, end: last === this.last, skipped: 0 };
  }

  async newest(limit: number): Promise<readonly LoggedId[]> {
    return this.#records.slice(-limit);
  }

  async positionBefore(time: number): Promise<number> {
    const at = this.#records.findIndex(({ receivedAt }) => receivedAt >= time);
    return at === -1 ? this.last : at;
  }

  async *snapshot(options: Parameters<DurableLog["snapshot"]>[0]): AsyncGenerator<readonly LogRecord[]> {
    this.#ask("snapshot");
    const { since, validAt, type } = options;
    const wanted = [...this.#newest.values()].filter(
      (record) =>
        !record.removed &&
        record.receivedAt >= since &&
        (record.validUntil ?? Number.POSITIVE_INFINITY) > validAt &&
        (type === undefined || record.type === type),
    );
    wanted.sort((a, b) => a.position - b.position);
    for (let at = 0; at < wanted.length; at += PART) {
      if (this.failure !== undefined) throw this.failure;
      yield wanted.slice(at, at + PART);
    }
  }

  async states(stixIds: readonly string[]): Promise<readonly ObjectState[]> {
    this.#ask("states");
    if (stixIds.length > 1_000) throw new RangeError("too many ids");
    return stixIds.flatMap((id) => this.#newest.get(id) ?? []);
  }

  async latest(stixId: string): Promise<LogRecord | undefined> {
    this.#ask("latest");
    return this.#newest.get(stixId);
  }

  async expired({ after, until, behind }: Parameters<DurableLog["expired"]>[0]): Promise<readonly LogRecord[]> {
    this.#ask("expired");
    const found: { readonly end: number; readonly record: LogRecord }[] = [];
    for (const record of this.#newest.values()) {
      const { validUntil: end, removed, position } = record;
      if (end === undefined || removed || end <= after || end > until) continue;
      const from = behind?.validUntil ?? after;
      if (end > from || (end === from && position > (behind?.position ?? 0))) found.push({ end, record });
    }
    found.sort((a, b) => a.end - b.end || a.record.position - b.record.position);
    return found.slice(0, 1_000).map(({ record }) => record);
  }

  cursor(name: string): number {
    return this.#cursors.get(name) ?? 0;
  }

  setCursor(name: string, value: number): void {
    this.calls.push(`setCursor ${name}`);
    this.#cursors.set(name, value);
  }

  on(_event: "state", _listener: (state: LogState, error: Error | undefined) => void): unknown {
    return this;
  }

  #ask(question: string): void {
    this.calls.push(question);
    if (this.failure !== undefined) throw this.failure;
  }
}
