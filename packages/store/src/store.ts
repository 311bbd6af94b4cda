/** The main thread's side of the log. */
import type { OpenLog, Receipts } from "@threatbus/core";
import { AppendQueue } from "./append-queue.ts";
import { BulkReader } from "./bulk-reader.ts";
import type { Table } from "./codec/entries.ts";
import { Cursors } from "./cursors.ts";
import { StoreError } from "./errors.ts";
import { backupLog, checkLog } from "./maintenance.ts";
import { type Settings, type StoreOptions, settingsOf } from "./options.ts";
import { StoreOutbox } from "./outbox.ts";
import type { Answer, Request } from "./protocol.ts";
import { ReadableLog } from "./readable-log.ts";
import { type Receipt, ReceiptQueue, type SubscriptionRecord } from "./receipts.ts";
import type { Appended, CheckReport, LogEntry, LogState, Statistics } from "./records.ts";
import { errorOf, type Notice, WorkerLink } from "./worker-link.ts";

/** The durable log of one instance. Files are touched by a worker thread only: nothing here waits for a disk. */
export class Store extends ReadableLog implements OpenLog {
  readonly path: string;
  /** Who got what. Does nothing in a log that is open for reading only. */
  readonly receipts: Receipts;
  /** What was accepted and not handed on. */
  readonly outbox: StoreOutbox;
  readonly #receipts: ReceiptQueue;
  protected override readonly isReadOnly: boolean;
  protected override readonly bulk: BulkReader;
  #link: WorkerLink | undefined;
  #queue: AppendQueue | undefined;
  #cursors: Cursors | undefined;
  #id = "";
  #state: LogState = "ok";
  #error: StoreError | undefined;
  #closing: Promise<void> | undefined;
  #isOver = false;
  #news: PromiseWithResolvers<void> | undefined;

  private constructor(settings: Settings) {
    super();
    this.path = settings.path;
    this.isReadOnly = settings.readOnly;
    this.bulk = new BulkReader(
      settings,
      (request) => this.ask(request),
      () => this.durable,
    );
    this.#receipts = new ReceiptQueue((events) => {
      // Never before what was appended earlier.
      this.#send();
      this.#link?.receipts(events);
    });
    if (settings.readOnly) this.#receipts.stateIs("off");
    this.receipts = this.#receipts;
    this.outbox = new StoreOutbox({
      add: (entries) => this.#append(entries, "outbox"),
      cursor: (name) => this.cursor(name),
      setCursor: (name, value) => {
        // A broker may confirm what is in the outbox when the log is closed already: it is sent once more then.
        if (this.#closing === undefined) this.setCursor(name, value);
      },
      ask: (request) => this.ask(request),
    });
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
    const cursors = new Cursors(opened.cursors, () => store.#send());
    store.#id = opened.logId;
    store.#cursors = cursors;
    store.#queue = new AppendQueue(settings, opened.next, opened.reserved, (memory, used, last) =>
      link.append(memory, used, last, cursors.take()),
    );
    if (opened.error !== undefined) store.#becomeLater("stalled", errorOf(opened.error));
    return store;
  }

  /** Tells this log from every other one; empty where a log of the first version is only read. */
  get id(): string {
    return this.#id;
  }

  /** How the log is, and `error` why. */
  get state(): LogState {
    return this.#state;
  }

  get error(): StoreError | undefined {
    return this.#error;
  }

  override get last(): number {
    return this.#queue?.last ?? 0;
  }

  /** Newest position that the disk has. */
  get durable(): number {
    return this.#queue?.durable ?? 0;
  }

  #onNotice(notice: Notice): void {
    if (notice.kind === "committed") {
      this.#queue?.committed(notice.position, notice.reserved, notice.memories);
      this.#announce();
    } else if (notice.kind === "resumed") {
      this.#id = notice.logId;
      this.#cursors?.found(notice.cursors);
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

  #become(state: LogState, error?: StoreError): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    this.#enter(state, error);
    this.emit("state", state, error);
  }

  #enter(state: LogState, error: StoreError | undefined): void {
    this.#state = state;
    this.#error = error;
    this.#queue?.stateIs(state === "closed" ? "failed" : state);
    this.#receipts.stateIs(state === "closed" || state === "failed" ? "off" : state);
    this.#announce();
  }

  /**
   * Appends entries in order, under positions that follow one another and were never given before.
   *
   * Resolves as soon as the entries are copied, which is at once unless the queue is full; `settled` says when they are
   * safe. While the disk is full or failing nothing waits: entries are queued while there is room in memory; what has
   * none is counted, and its index is in `dropped`. Rejects only when the log is closed or open for reading only.
   */
  async append(entries: readonly LogEntry[]): Promise<Appended> {
    return this.#append(entries, "log");
  }

  async #append(entries: readonly LogEntry[], table: Table): Promise<Appended> {
    const queue = this.#queue;
    if (this.#closing !== undefined || queue === undefined) throw this.#closedError();
    if (this.isReadOnly) throw this.#readOnlyError();
    const appended = await queue.append(entries, table);
    if (appended.last > 0) this.#announce();
    return appended;
  }

  /**
   * Resolves when everything up to `position` is as safe as the durability promises: at once with `interval`, when the
   * disk has it with `always`. False when the log cannot write now; what is queued may still get there.
   */
  async settled(position: number): Promise<boolean> {
    return this.#queue?.settled(position) ?? false;
  }

  override async news(): Promise<void> {
    if (this.#isOver) return;
    this.#news ??= Promise.withResolvers();
    await this.#news.promise;
  }

  #announce(): void {
    this.#news?.resolve();
    this.#news = undefined;
  }

  /** A number kept under a name; 0 when there is none. */
  cursor(name: string): number {
    return this.#cursors?.get(name) ?? 0;
  }

  /**
   * Keeps a whole number under a name; the disk has it with the next commit, which is at most a second away, and never
   * before it has what was appended earlier. @throws StoreError for a log that is closed or only read, and beyond 100
   * names of 64 characters
   */
  setCursor(name: string, value: number): void {
    if (this.#closing !== undefined) throw this.#closedError();
    if (this.isReadOnly) throw this.#readOnlyError();
    this.#cursors?.set(name, value);
  }

  /** Everything that is to be kept is on its way to the worker. */
  #send(): void {
    this.#queue?.flush();
    const cursors = this.#cursors?.take() ?? [];
    if (cursors.length > 0 && this.#state !== "failed") this.#link?.setCursors(cursors);
  }

  #readOnlyError(): StoreError {
    return new StoreError("TB_STORE_UNWRITABLE", `The log ${this.path} is open for reading only`);
  }

  #closedError(): StoreError {
    return new StoreError("TB_STORE_CLOSED", `The log ${this.path} is closed`);
  }

  protected override get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  protected override async ask(request: Request): Promise<Answer> {
    if (this.#closing !== undefined || this.#link === undefined) throw this.#closedError();
    // Blocks and questions go one way, so that an answer knows everything appended before.
    this.#send();
    return this.#link.ask(request);
  }

  override async flush(): Promise<void> {
    await this.ask({ kind: "flush" });
  }

  async statistics(): Promise<Statistics> {
    const { statistics } = await this.ask({ kind: "statistics" });
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
   * What became of a position: every subscription that began before it and got there, or was open when it was received.
   * Its mark answers for everything up to the mark's position; whether the message belongs to it, its topics and filter
   * say. One without a mark is on its way, or, if it is closed, ended before. For a position that retention has removed
   * the answer is incomplete.
   */
  async receiptsAt(position: number): Promise<readonly Receipt[]> {
    this.#receipts.flush();
    return (await this.ask({ kind: "receipts-at", position })).receipts ?? [];
  }

  /** All subscriptions of which receipts are kept, in the order in which they were opened. */
  async subscriptions(): Promise<readonly SubscriptionRecord[]> {
    this.#receipts.flush();
    return (await this.ask({ kind: "subscriptions" })).subscriptions ?? [];
  }

  /** Removes now what retention says. @returns how many records */
  async prune(): Promise<number> {
    return (await this.ask({ kind: "prune" })).position ?? 0;
  }

  /** Looks at every page and every index entry; writing goes on meanwhile. */
  async check(): Promise<CheckReport> {
    if (!this.isReadOnly) await this.flush();
    return checkLog(this.path);
  }

  /** Copies everything appended so far into a new file; writing goes on meanwhile. */
  async backup(target: string): Promise<void> {
    if (!this.isReadOnly) await this.flush();
    await backupLog(this.path, target);
  }

  /** Writes everything and closes the files. @throws StoreError when the disk would not take the last of it */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    const link = this.#link;
    await this.#queue?.untilTaken();
    this.#send();
    this.#receipts.flush();
    await this.bulk.close();
    try {
      const answer = await link?.ask({ kind: "close" });
      if (answer?.error !== undefined) throw errorOf(answer.error);
    } finally {
      this.#become("closed", undefined);
      await link?.exited();
      // A log that has failed stays so, and yet nothing comes from it any more.
      this.#isOver = true;
      this.#announce();
    }
  }
}
