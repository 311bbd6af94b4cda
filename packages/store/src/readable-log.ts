/** What can be asked of the log, on the main thread's side. */
import { EventEmitter } from "node:events";
import type { Ask, BulkReader } from "./bulk-reader.ts";
import { readAnswer } from "./codec/answers.ts";
import { StoreError } from "./errors.ts";
import type { Answer, Request } from "./protocol.ts";
import type {
  Batch,
  ExpiredOptions,
  LoggedId,
  LogRecord,
  LogState,
  ObjectState,
  ReadOptions,
  SnapshotOptions,
} from "./records.ts";

/** What a store tells: `state` with every change, and the error behind one that is no good news. */
export interface StoreEvents {
  state: [state: LogState, error: StoreError | undefined];
}

const DEFAULT_LIMIT = 1000;
const MOST_LIMIT = 10_000;
const MOST_STATES = 1000;
/** Ids that are looked up in one go, so that commits come in between. */
const STATES_PART = 100;
/** How often a log that another process writes is looked at by `tail`, in milliseconds. */
const TAIL_INTERVAL = 250;

/** A log as far as it is read; `Store` is all of it. */
export abstract class ReadableLog extends EventEmitter<StoreEvents> {
  /** Newest position that was given; what is appended from now on is behind it. */
  abstract get last(): number;
  /** Resolves at the next append, commit or change of state, and at once when the log is closed. */
  abstract news(): Promise<void>;
  /** Resolves when the disk has everything appended before. @throws StoreError when it cannot be written now */
  abstract flush(): Promise<void>;
  protected abstract readonly bulk: BulkReader;
  protected abstract readonly isReadOnly: boolean;
  protected abstract get isClosing(): boolean;
  /** Asks the writer's thread. */
  protected abstract ask(request: Request): Promise<Answer>;

  /**
   * The next records behind a position, at most about 512 KiB (one record more) at a time. Knows everything appended
   * before the call. While the log is stalled, what it has in memory only cannot be read: then a part with `end` has a
   * `last` before `Store.last`, and the rest follows when it is written.
   */
  async read(options: ReadOptions = {}): Promise<Batch> {
    const { after = 0, type } = options;
    const answer = await this.bulk.read({ kind: "read", after, limit: limitOf(options.limit), type });
    const { position: last = after, end = true, skipped = 0 } = answer;
    return { records: recordsOf(answer), last, end, skipped };
  }

  /** Everything behind a position up to now, in parts. The next part is read while the last one is worked on. */
  async *records(options: Omit<ReadOptions, "limit"> = {}): AsyncGenerator<readonly LogRecord[]> {
    const until = this.isReadOnly ? ((await this.ask({ kind: "end" })).position ?? 0) : this.last;
    const { after: start = 0, type } = options;
    yield* partsOf(start, until, (after) => this.bulk.read({ kind: "read", after, limit: MOST_LIMIT, type }));
  }

  /** Everything behind a position, and then what is appended, until the signal aborts or the store is closed. */
  async *tail(options: Omit<ReadOptions, "limit">, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    let after = options.after ?? 0;
    while (!signal.aborted && !this.isClosing) {
      const news = this.news();
      const { records, last, end } = await this.read({ ...options, after, limit: MOST_LIMIT });
      after = last;
      if (records.length > 0) yield records;
      if (end) await this.#untilNews(news, signal);
    }
  }

  async #untilNews(news: Promise<void>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const over = Promise.withResolvers<void>();
    const finish = (): void => over.resolve();
    signal.addEventListener("abort", finish, { once: true });
    const timer = this.isReadOnly ? setTimeout(finish, TAIL_INTERVAL) : undefined;
    await Promise.race([news, over.promise]);
    clearTimeout(timer);
    signal.removeEventListener("abort", finish);
  }

  /**
   * The position after which everything lies that was received at `time` (milliseconds since the epoch) or later. Where
   * the clock has jumped back, some that were received earlier lie behind it too.
   */
  async positionBefore(time: number): Promise<number> {
    return (await this.ask({ kind: "position-before", time })).position ?? 0;
  }

  /** Which messages came last, in the order of positions; at most 10,000. */
  async newest(limit: number): Promise<readonly LoggedId[]> {
    return (await this.ask({ kind: "newest", limit: limitOf(limit) })).messages ?? [];
  }

  /**
   * The newest state of each of these objects that is in the log, once each.
   * @throws StoreError `TB_STORE_OPTION` beyond 1,000 ids
   */
  async states(stixIds: readonly string[]): Promise<readonly ObjectState[]> {
    if (stixIds.length > MOST_STATES) {
      const text = `States were asked for ${stixIds.length} ids, of at most ${MOST_STATES}`;
      throw new StoreError("TB_STORE_OPTION", text);
    }
    const ids = [...new Set(stixIds)];
    const found: ObjectState[] = [];
    for (let at = 0; at < ids.length; at += STATES_PART) {
      const { states = [] } = await this.ask({ kind: "states", stixIds: ids.slice(at, at + STATES_PART) });
      found.push(...states);
    }
    return found;
  }

  /** All states of an object, newest `modified` first. */
  async byId(stixId: string, limit?: number): Promise<readonly LogRecord[]> {
    return recordsOf(await this.ask({ kind: "by-id", stixId, limit: limitOf(limit) }));
  }

  /** The newest state of an object, removed or not: of the highest `modified`, of these the one appended last. */
  async latest(stixId: string): Promise<LogRecord | undefined> {
    return (await this.byId(stixId, 1))[0];
  }

  /**
   * All indicators with exactly this value, the one appended last first. Under the path `sighting_of_ref`, with the id of
   * an indicator as value, its sightings.
   */
  async byValue(
    value: string,
    options: { readonly objectPath?: string; readonly limit?: number } = {},
  ): Promise<readonly LogRecord[]> {
    const limit = limitOf(options.limit);
    return recordsOf(await this.ask({ kind: "by-value", value, objectPath: options.objectPath, limit }));
  }

  /**
   * The newest state of every object as of now, in the order of positions and in parts, once each; objects of which the
   * newest state is a removal are left out. What is appended after the call has no influence.
   */
  snapshot(options: SnapshotOptions = {}): AsyncGenerator<readonly LogRecord[]> {
    return this.#snapshot(options, this.last);
  }

  async *#snapshot(options: SnapshotOptions, given: number): AsyncGenerator<readonly LogRecord[]> {
    const { since = 0, type, validAt = Number.MIN_SAFE_INTEGER } = options;
    const until = this.isReadOnly ? ((await this.ask({ kind: "end" })).position ?? 0) : given;
    const start = since > 0 ? await this.positionBefore(since) : 0;
    const ask: Ask = await this.bulk.askerFor(start, until, () => this.flush());
    yield* partsOf(start, until, (after) => {
      return ask({ kind: "snapshot", after, until, since, type, validAt });
    });
  }

  /** Newest states that are not removed and whose validity ended in a span of time, in the order of their ends. */
  async expired(options: ExpiredOptions): Promise<readonly LogRecord[]> {
    const { after, until, behind } = options;
    let behindTime = behind?.validUntil ?? after;
    let behindPosition = behind?.position ?? Number.MAX_SAFE_INTEGER;
    const limit = limitOf(options.limit);
    while (true) {
      const answer = await this.ask({ kind: "expired", after, behindTime, behindPosition, until, limit });
      const records = recordsOf(answer);
      if (records.length > 0 || answer.end === true) return records;
      // All that was looked at has been replaced.
      ({ time: behindTime = until, position: behindPosition = Number.MAX_SAFE_INTEGER } = answer);
    }
  }
}

/** Parts of a longer reading up to a position, one ahead. */
async function* partsOf(
  start: number,
  until: number,
  ask: (after: number) => Promise<Answer>,
): AsyncGenerator<LogRecord[]> {
  let next: Promise<Answer> | undefined = start < until ? ask(start) : undefined;
  while (next !== undefined) {
    const answer: Answer = await next;
    const after: number = answer.position ?? until;
    next = answer.end === true || after >= until ? undefined : ask(after);
    // Whoever stops in between leaves an answer behind that nobody asks about.
    next?.catch(() => undefined);
    const records = recordsOf(answer);
    const wanted = (records.at(-1)?.position ?? 0) > until ? records.filter((each) => each.position <= until) : records;
    if (wanted.length > 0) yield wanted;
  }
}

function recordsOf(answer: Answer): LogRecord[] {
  return answer.memory === undefined ? [] : readAnswer(answer.memory);
}

function limitOf(limit = DEFAULT_LIMIT): number {
  return Math.min(MOST_LIMIT, Math.max(1, Math.trunc(limit)));
}
