/** The main thread's side of the log. */
import { EventEmitter } from "node:events";
import { AppendQueue } from "./append-queue.ts";
import { readAnswer } from "./codec/answers.ts";
import { StoreError } from "./errors.ts";
import { backupLog, checkLog } from "./maintenance.ts";
import { type Settings, type StoreOptions, settingsOf } from "./options.ts";
import type { Answer, Request } from "./protocol.ts";
import { type Receipt, ReceiptQueue, type Receipts, type SubscriptionRecord } from "./receipts.ts";
import type {
  Appended,
  Batch,
  CheckReport,
  ExpiredOptions,
  LogEntry,
  LogRecord,
  ReadOptions,
  SnapshotOptions,
  Statistics,
  StoreState,
} from "./records.ts";
import { errorOf, type Notice, WorkerLink } from "./worker-link.ts";

/** What a store tells: `state` with every change, and the error behind one that is no good news. */
export interface StoreEvents {
  state: [state: StoreState, error: StoreError | undefined];
}

const DEFAULT_LIMIT = 1000;
const MOST_LIMIT = 10_000;
/** How often a log that another process writes is looked at by `tail`, in milliseconds. */
const TAIL_INTERVAL = 250;

/** The durable log of one instance. Files are touched by a worker thread only: nothing here waits for a disk. */
export class Store extends EventEmitter<StoreEvents> {
  readonly path: string;
  /** Who got what. Does nothing in a log that is open for reading only. */
  readonly receipts: Receipts;
  readonly #receipts: ReceiptQueue;
  readonly #settings: Settings;
  #link: WorkerLink | undefined;
  #queue: AppendQueue | undefined;
  #state: StoreState = "ok";
  #error: StoreError | undefined;
  #closing: Promise<void> | undefined;
  #news: PromiseWithResolvers<void> = Promise.withResolvers();

  private constructor(settings: Settings) {
    super();
    this.path = settings.path;
    this.#settings = settings;
    this.#receipts = new ReceiptQueue((events) => {
      // Never before what was appended earlier.
      this.#queue?.flush();
      this.#link?.receipts(events);
    });
    if (settings.readOnly) this.#receipts.stateIs("off");
    this.receipts = this.#receipts;
  }

  /**
   * Opens the log, making it where there is none. When the disk is full, it begins `stalled`: it gives what is there to
   * read, takes nothing, and goes to `ok` by itself when there is room.
   * @throws StoreError for each other reason why it cannot be opened
   */
  static async open(options: StoreOptions): Promise<Store> {
    const settings = settingsOf(options);
    const store = new Store(settings);
    const { link, opened } = await WorkerLink.open(
      settings,
      (notice) => store.#onNotice(notice),
      (error) => store.#become("failed", error),
    );
    store.#link = link;
    store.#queue = new AppendQueue(settings, opened.next, opened.reserved, (memory, used, last) =>
      link.append(memory, used, last),
    );
    if (opened.error !== undefined) store.#becomeLater("stalled", errorOf(opened.error));
    return store;
  }

  /** How the log is, and `error` why. */
  get state(): StoreState {
    return this.#state;
  }

  get error(): StoreError | undefined {
    return this.#error;
  }

  /** Newest position that was given; what is appended from now on is behind it. */
  get last(): number {
    return this.#queue?.last ?? 0;
  }

  /** Newest position that the disk has. */
  get durable(): number {
    return this.#queue?.durable ?? 0;
  }

  #onNotice(notice: Notice): void {
    if (notice.kind === "committed") {
      this.#queue?.committed(notice.position, notice.reserved, notice.memories);
    } else if (notice.kind === "resumed") {
      this.#queue?.resumed(notice.next, notice.reserved);
    } else {
      this.#become(notice.state, notice.error === undefined ? undefined : errorOf(notice.error));
    }
  }

  /** The state is set at once; the event waits until whoever opens the log can listen. */
  #becomeLater(state: "stalled", error: StoreError): void {
    this.#enter(state, error);
    setImmediate(() => this.#error === error && this.emit("state", state, error));
  }

  #become(state: StoreState, error?: StoreError): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    this.#enter(state, error);
    this.#news.resolve();
    this.emit("state", state, error);
  }

  #enter(state: StoreState, error: StoreError | undefined): void {
    this.#state = state;
    this.#error = error;
    this.#queue?.stateIs(state === "closed" ? "failed" : state);
    this.#receipts.stateIs(state === "closed" || state === "failed" ? "off" : state);
  }

  /**
   * Appends entries in order, under positions that follow one another and were never given before.
   *
   * With `interval` it resolves as soon as the entries are copied, which is at once unless the queue is full; with
   * `always` when the disk has them. While the disk is full or failing nothing waits: entries are queued while there is
   * room in memory, and what has none is counted in `dropped`. Never rejects but for a store that is closed.
   */
  async append(entries: readonly LogEntry[]): Promise<Appended> {
    const queue = this.#queue;
    if (this.#closing !== undefined || queue === undefined) throw this.#closedError();
    if (this.#settings.readOnly) {
      throw new StoreError("TB_STORE_UNWRITABLE", `The log ${this.path} is open for reading only`);
    }
    const appended = await queue.append(entries);
    if (appended.last > 0) this.#announce();
    return appended;
  }

  #announce(): void {
    const news = this.#news;
    this.#news = Promise.withResolvers();
    news.resolve();
  }

  #closedError(): StoreError {
    return new StoreError("TB_STORE_CLOSED", `The log ${this.path} is closed`);
  }

  async #ask(request: Request): Promise<Answer> {
    if (this.#closing !== undefined || this.#link === undefined) throw this.#closedError();
    // Blocks and questions go one way, so that an answer knows everything appended before.
    this.#queue?.flush();
    return this.#link.ask(request);
  }

  /** Resolves when the disk has everything appended before. @throws StoreError when it cannot be written now */
  async flush(): Promise<void> {
    await this.#ask({ kind: "flush" });
  }

  /** The next records behind a position. At most about 512 KiB (one record more) at a time. */
  async read(options: ReadOptions = {}): Promise<Batch> {
    const { after = 0, type } = options;
    const answer = await this.#ask({ kind: "read", after, limit: limitOf(options.limit), type });
    return { records: recordsOf(answer), last: answer.position ?? after, end: answer.end ?? true };
  }

  /** Everything behind a position up to now, in parts. The next part is read while the last one is worked on. */
  async *records(options: Omit<ReadOptions, "limit"> = {}): AsyncGenerator<readonly LogRecord[]> {
    const until = this.#settings.readOnly ? ((await this.#ask({ kind: "end" })).position ?? 0) : this.last;
    const type = options.type;
    yield* this.#parts(options.after ?? 0, until, (after) => ({ kind: "read", after, limit: MOST_LIMIT, type }));
  }

  /** Everything behind a position, and then what is appended, until the signal aborts or the store is closed. */
  async *tail(options: Omit<ReadOptions, "limit">, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    let after = options.after ?? 0;
    while (!signal.aborted && this.#closing === undefined) {
      const { promise: news } = this.#news;
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
    const timer = this.#settings.readOnly ? setTimeout(finish, TAIL_INTERVAL) : undefined;
    await Promise.race([news, over.promise]);
    clearTimeout(timer);
    signal.removeEventListener("abort", finish);
  }

  /**
   * The position after which everything lies that was received at `time` (milliseconds since the epoch) or later. Where
   * the clock has jumped back, some that were received earlier lie behind it too.
   */
  async positionBefore(time: number): Promise<number> {
    return (await this.#ask({ kind: "position-before", time })).position ?? 0;
  }

  /** All states of an object, newest `modified` first. */
  async byId(stixId: string, limit?: number): Promise<readonly LogRecord[]> {
    return recordsOf(await this.#ask({ kind: "by-id", stixId, limit: limitOf(limit) }));
  }

  /** The newest state of an object, removed or not: of the highest `modified`, of these the one appended last. */
  async latest(stixId: string): Promise<LogRecord | undefined> {
    return (await this.byId(stixId, 1))[0];
  }

  /** All indicators with exactly this value, the one appended last first. */
  async byValue(
    value: string,
    options: { readonly objectPath?: string; readonly limit?: number } = {},
  ): Promise<readonly LogRecord[]> {
    const limit = limitOf(options.limit);
    return recordsOf(await this.#ask({ kind: "by-value", value, objectPath: options.objectPath, limit }));
  }

  /**
   * The newest state of every object as of now, in the order of positions and in parts, once each; objects of which the
   * newest state is a removal are left out. What is appended meanwhile has no influence.
   */
  async *snapshot(options: SnapshotOptions = {}): AsyncGenerator<readonly LogRecord[]> {
    const { since = 0, type, validAt = 0 } = options;
    const until = this.#settings.readOnly ? ((await this.#ask({ kind: "end" })).position ?? 0) : this.last;
    const start = since > 0 ? await this.positionBefore(since) : 0;
    yield* this.#parts(start, until, (after) => ({ kind: "snapshot", after, until, since, type, validAt }));
  }

  /** Parts of a longer reading, one ahead. */
  async *#parts(start: number, until: number, request: (after: number) => Request): AsyncGenerator<LogRecord[]> {
    let next: Promise<Answer> | undefined = start < until ? this.#ask(request(start)) : undefined;
    while (next !== undefined) {
      const answer: Answer = await next;
      const after: number = answer.position ?? until;
      next = answer.end === true || after >= until ? undefined : this.#ask(request(after));
      // Whoever stops in between leaves an answer behind that nobody asks about.
      next?.catch(() => undefined);
      const records = recordsOf(answer);
      const wanted =
        (records.at(-1)?.position ?? 0) > until ? records.filter((each) => each.position <= until) : records;
      if (wanted.length > 0) yield wanted;
    }
  }

  /** Newest states that are not removed and whose validity ended in a span of time, in the order of their ends. */
  async expired(options: ExpiredOptions): Promise<readonly LogRecord[]> {
    const { after, until, behind } = options;
    const behindTime = behind?.validUntil ?? after;
    const behindPosition = behind?.position ?? Number.MAX_SAFE_INTEGER;
    const limit = limitOf(options.limit);
    return recordsOf(await this.#ask({ kind: "expired", after, behindTime, behindPosition, until, limit }));
  }

  async statistics(): Promise<Statistics> {
    const { statistics } = await this.#ask({ kind: "statistics" });
    const queue = this.#queue;
    if (statistics === undefined || queue === undefined) throw this.#closedError();
    return {
      ...statistics,
      state: this.#state,
      durable: queue.durable,
      queuedBytes: queue.queuedBytes,
      queuedRecords: queue.queuedRecords,
      appended: queue.appended,
      dropped: queue.drops,
    };
  }

  /**
   * What became of a position: every subscription that began before it and got there, or is open and may still get there.
   * One that ended before it got there is left out. Its mark answers for everything up to the mark's position; whether
   * the message belongs to it, its topics and filter say. For a position that retention has removed the answer is
   * incomplete.
   */
  async receiptsAt(position: number): Promise<readonly Receipt[]> {
    this.#receipts.flush();
    return (await this.#ask({ kind: "receipts-at", position })).receipts ?? [];
  }

  /** All subscriptions of which receipts are kept, in the order in which they were opened. */
  async subscriptions(): Promise<readonly SubscriptionRecord[]> {
    this.#receipts.flush();
    return (await this.#ask({ kind: "subscriptions" })).subscriptions ?? [];
  }

  /** Removes now what retention says. @returns how many records */
  async prune(): Promise<number> {
    return (await this.#ask({ kind: "prune" })).position ?? 0;
  }

  /** Looks at every page and every index entry; writing goes on meanwhile. */
  async check(): Promise<CheckReport> {
    if (!this.#settings.readOnly) await this.flush();
    return checkLog(this.path);
  }

  /** Copies everything appended so far into a new file; writing goes on meanwhile. */
  async backup(target: string): Promise<void> {
    if (!this.#settings.readOnly) await this.flush();
    await backupLog(this.path, target);
  }

  /** Writes everything and closes the files. @throws StoreError when the disk would not take the last of it */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    const link = this.#link;
    await this.#queue?.settled();
    this.#queue?.flush();
    this.#receipts.flush();
    try {
      const answer = await link?.ask({ kind: "close" });
      if (answer?.error !== undefined) throw errorOf(answer.error);
    } finally {
      this.#become("closed", undefined);
      await link?.exited();
      this.#announce();
    }
  }
}

function recordsOf(answer: Answer): LogRecord[] {
  return answer.memory === undefined ? [] : readAnswer(answer.memory);
}

function limitOf(limit = DEFAULT_LIMIT): number {
  return Math.min(MOST_LIMIT, Math.max(1, Math.trunc(limit)));
}
