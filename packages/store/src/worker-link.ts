/** The worker thread as the main thread sees it: questions with answers, and what it tells by itself. */
import { Worker } from "node:worker_threads";
import { type ErrorMessage, messageOf, StoreError } from "./errors.ts";
import type { Settings } from "./options.ts";
import type { Answer, CursorValues, FromWorker, Opened, Request } from "./protocol.ts";
import type { ReceiptEvent } from "./receipts.ts";

/** What the worker tells without being asked. */
export type Notice = Extract<FromWorker, { readonly kind: "committed" | "state" | "resumed" }>;

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: StoreError) => void;
}

/** Rows live for a moment only; with more room for them the thread would merely use more memory before it looks. */
const RESOURCES = { maxYoungGenerationSizeMb: 8 };

/** Starts a thread of this package. From source they are TypeScript as everything else; built ones are JavaScript. */
export function startWorker(file: "main" | "maintenance", name: string, workerData: unknown): Worker {
  const url = new URL(`./worker/${file}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  // A program given on the command line has an option that no thread with a file takes; others are inherited.
  const isInline = process.execArgv.some((argument) => argument.startsWith("--input-type"));
  return new Worker(url, { workerData, name, resourceLimits: RESOURCES, ...(isInline ? { execArgv: [] } : {}) });
}

export function errorOf({ code, message }: ErrorMessage): StoreError {
  return new StoreError(code, message);
}

export class WorkerLink {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  /** Of the request after whose answer the thread ends, as it should. */
  #closeId: number | undefined;
  #death: StoreError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
  }

  /** Starts the worker and waits until the log is open. @throws StoreError when it cannot be opened */
  static async open(
    settings: Settings,
    onNotice: (notice: Notice) => void,
    onDeath: (error: StoreError) => void,
    name = "threatbus-store",
  ): Promise<{ readonly link: WorkerLink; readonly opened: Opened }> {
    const link = new WorkerLink(startWorker("main", name, settings));
    const worker = link.#worker;
    const opened = await new Promise<Opened>((resolve, reject) => {
      const die = (reason: string): void => {
        const error = new StoreError("TB_STORE_FAILED", `The worker of the log ${settings.path} ended: ${reason}`);
        reject(error);
        link.#die(error, onDeath);
      };
      worker.on("error", (error) => die(messageOf(error)));
      worker.on("exit", (code) => die(`exit code ${code}`));
      worker.on("message", (message: FromWorker) => {
        if (message.kind === "opened") resolve(message);
        else if (message.kind === "refused") reject(errorOf(message.error));
        else if (message.kind === "answer") link.#settle(message.id)?.resolve(message.answer);
        else if (message.kind === "error") link.#settle(message.id)?.reject(errorOf(message.error));
        else onNotice(message);
      });
    }).catch(async (error) => {
      await link.exited();
      throw error;
    });
    return { link, opened };
  }

  #settle(id: number): Pending | undefined {
    // The thread may be gone before the one who asked hears the answer: both can come in one turn of the event loop.
    if (id === this.#closeId) this.#death = new StoreError("TB_STORE_CLOSED", "The log is closed");
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #die(error: StoreError, onDeath: (error: StoreError) => void): void {
    const isUnexpected = this.#death === undefined;
    this.#death ??= error;
    // Also at its proper end: a long pruning may have been under way.
    for (const { reject } of this.#pending.values()) reject(this.#death);
    this.#pending.clear();
    if (isUnexpected) onDeath(error);
  }

  append(memory: ArrayBuffer, used: number, last: number, cursors: CursorValues): void {
    this.#worker.postMessage({ kind: "append", memory, used, last, cursors }, [memory]);
  }

  setCursors(cursors: CursorValues): void {
    this.#worker.postMessage({ kind: "cursors", cursors });
  }

  /** Is the thread gone, or going? */
  get isOver(): boolean {
    return this.#death !== undefined;
  }

  receipts(events: readonly ReceiptEvent[]): void {
    this.#worker.postMessage({ kind: "receipts", events });
  }

  async ask(request: Request): Promise<Answer> {
    if (this.#death !== undefined) throw this.#death;
    const id = this.#nextId++;
    if (request.kind === "close") this.#closeId = id;
    return new Promise<Answer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ kind: "request", id, request });
    });
  }

  /** Resolves when the thread is gone. */
  async exited(): Promise<void> {
    await this.#exited;
  }
}
